// What Swift's Glibc module lacks: event descriptors, a copy that survives a fault, holes in
// files, rings of reads.
#ifndef LOCI_LINUX_H
#define LOCI_LINUX_H
#include <stddef.h>
#include <stdint.h>

/// A non-blocking event descriptor with count 0, closed on exec; -1 and errno on failure.
int loci_eventfd_create(void);
/// Adds 1 to the count, so that the descriptor polls readable. Safe from any thread and from signal
/// handlers. Returns 0, or -1 and errno; a count that is at its limit already is no failure.
int loci_eventfd_signal(int descriptor);
/// Sets the count to 0. Returns 0, or -1 and errno; a count that is 0 already is no failure.
int loci_eventfd_drain(int descriptor);

/// Installs handlers for SIGBUS and SIGSEGV, once for the process; later calls do nothing. A fault
/// outside a guarded copy goes to the handler that was there before, or ends the process as ever.
void loci_install_fault_guard(void);
/// Copies `count` bytes. Returns 0, or -1 when a page of either range could not be read or written
/// (a mapping beyond the file's end, a read error of the device); then `target` holds garbage. The
/// fault guard must be installed.
int loci_guarded_copy(void *target, const void *source, size_t count);

/// O_DIRECT: reads past the page cache.
extern const int loci_o_direct;
/// Gives a range of a file back to the file system; it reads as zeros and the size stays. Returns
/// 0, or -1 and errno.
int loci_fallocate_punch(int descriptor, uint64_t offset, uint64_t length);
/// Finds the first range at or after `offset` that is no hole; the position that read and write use
/// moves. Returns 1, 0 if there is none, or -1 and errno.
int loci_next_data(int descriptor, uint64_t offset, uint64_t *start, uint64_t *end);
/// Maps `length` bytes of a file from its start, shared and read-only, for accesses at random (no
/// read-ahead). Returns NULL and errno on failure. Undone by munmap.
const void *loci_map_random(int descriptor, uint64_t length);

/// Reserves address space for pages, `length` a multiple of 2 MiB: readable, writable, aligned to 2
/// MiB, huge pages asked for, nothing resident before it is touched. Returns NULL and errno on
/// failure. Undone by loci_release_memory.
void *loci_reserve_memory(size_t length);
void loci_release_memory(void *base, size_t length);
/// Gives what is resident of a range back to the kernel; it reads as zeros when touched again.
void loci_forget_memory(void *start, size_t length);
/// No more huge pages in this range: what was given back of it must not come back by itself.
void loci_use_small_pages(void *base, size_t length);
/// Pages of the range come from this NUMA node when they are first touched. Returns 0, or -1 and
/// errno.
int loci_bind_memory(void *base, size_t length, int node);
/// Makes the C library's allocator keep little of what was freed: few arenas, and blocks of 128 KiB
/// or more always mapped on their own. To be called before other threads start.
void loci_bound_allocator(void);
/// Gives free memory of the allocator back to the kernel; takes milliseconds where there is much.
void loci_trim_allocator(void);
/// The last NUMA node with memory if there is more than one, else -1.
int loci_far_memory_node(void);

/// A queue of reads that the kernel works on at once (io_uring). One thread at a time uses it.
typedef struct loci_ring loci_ring;
/// What became of a read: bytes that were read, or a negative errno.
typedef struct {
    uint64_t tag;
    int32_t result;
} loci_completion;

/// A ring for `depth` reads at once, closed on exec. Returns NULL and errno where the kernel has
/// none or does not allow it.
loci_ring *loci_ring_open(unsigned depth);
/// No read may be on its way.
void loci_ring_close(loci_ring *ring);
/// Adds a read to what the next wait hands to the kernel; `target` must stay until its completion.
/// Returns 0, or -1 if `depth` reads wait to be handed over.
int loci_ring_read(
    loci_ring *ring, int descriptor, void *target, size_t count, uint64_t offset, uint64_t tag);
/// Hands the added reads to the kernel and waits for `least` completions, fewer if it is
/// interrupted. Returns how many of `most` places in `done` it has filled, or a negative errno and
/// none filled; reads that are on their way stay so then.
int loci_ring_wait(loci_ring *ring, unsigned least, loci_completion *done, unsigned most);

#endif
