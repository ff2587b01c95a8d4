#define _GNU_SOURCE
#include "loci_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

const int loci_o_direct = O_DIRECT;

int loci_fallocate_punch(int descriptor, uint64_t offset, uint64_t length) {
    int result;
    do {
        result = fallocate(
            descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
    } while (result != 0 && errno == EINTR);
    return result;
}

const void *loci_map_random(int descriptor, uint64_t length) {
    void *base = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (base == MAP_FAILED) return NULL;
    madvise(base, length, MADV_RANDOM);
    return base;
}

int loci_next_data(int descriptor, uint64_t offset, uint64_t *start, uint64_t *end) {
    const off_t data = lseek(descriptor, (off_t)offset, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? 0 : -1;
    const off_t hole = lseek(descriptor, data, SEEK_HOLE);
    if (hole < 0) return errno == ENXIO ? 0 : -1;  // Cut or punched since.
    *start = (uint64_t)data;
    *end = (uint64_t)hole;
    return 1;
}
