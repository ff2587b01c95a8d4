#define _GNU_SOURCE
#include "loci_linux.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

struct loci_ring {
    struct io_uring ring;
};

loci_ring *loci_ring_open(unsigned depth) {
    loci_ring *ring = malloc(sizeof *ring);
    if (!ring) return NULL;
    // Completions wait for our next call instead of interrupting this thread; kernels before 5.19
    // know no such flag.
    int result = io_uring_queue_init(depth, &ring->ring, IORING_SETUP_COOP_TASKRUN);
    if (result == -EINVAL) result = io_uring_queue_init(depth, &ring->ring, 0);
    if (result == 0) return ring;
    free(ring);
    errno = -result;
    return NULL;
}

void loci_ring_close(loci_ring *ring) {
    io_uring_queue_exit(&ring->ring);
    free(ring);
}

int loci_ring_read(
    loci_ring *ring, int descriptor, void *target, size_t count, uint64_t offset, uint64_t tag) {
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring->ring);
    if (!entry) return -1;
    io_uring_prep_read(entry, descriptor, target, (unsigned)count, offset);
    io_uring_sqe_set_data64(entry, tag);
    return 0;
}

int loci_ring_wait(loci_ring *ring, unsigned least, loci_completion *done, unsigned most) {
    const int result = io_uring_submit_and_wait(&ring->ring, least);
    unsigned count = 0;
    struct io_uring_cqe *entry;
    while (count < most && io_uring_peek_cqe(&ring->ring, &entry) == 0) {
        done[count].tag = io_uring_cqe_get_data64(entry);
        done[count].result = entry->res;
        io_uring_cqe_seen(&ring->ring, entry);
        count++;
    }
    return count > 0 || result >= 0 ? (int)count : result;
}
