#define _GNU_SOURCE
#include "loci_linux.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define LOCI_MPOL_BIND 2

void *loci_reserve_memory(size_t length) {
    size_t reserved = length + HUGE_PAGE;
    char *raw = mmap(
        NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    char *base = (char *)(((uintptr_t)raw + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (base > raw) munmap(raw, (size_t)(base - raw));
    munmap(base + length, (size_t)(raw + reserved - (base + length)));
    madvise(base, length, MADV_HUGEPAGE);
    return base;
}

void loci_release_memory(void *base, size_t length) { munmap(base, length); }

void loci_forget_memory(void *start, size_t length) { madvise(start, length, MADV_DONTNEED); }

void loci_use_small_pages(void *base, size_t length) { madvise(base, length, MADV_NOHUGEPAGE); }

int loci_bind_memory(void *base, size_t length, int node) {
    unsigned long mask[16] = {0};
    unsigned long bits = 8 * sizeof(mask[0]);
    if (node < 0 || (unsigned long)node >= bits * 16) {
        errno = EINVAL;
        return -1;
    }
    mask[(unsigned long)node / bits] = 1ul << ((unsigned long)node % bits);
    return (int)syscall(SYS_mbind, base, length, LOCI_MPOL_BIND, mask, bits * 16 + 1, 0);
}

int loci_far_memory_node(void) {
    // A list of ranges, such as "0" or "0-1,4".
    FILE *file = fopen("/sys/devices/system/node/has_memory", "re");
    if (file == NULL) return -1;
    char line[256] = "";
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    if (read == NULL || strpbrk(line, "-,") == NULL) return -1;
    char *last = line;
    for (char *at = line; (at = strpbrk(at, "-,")) != NULL; at++) last = at + 1;
    return atoi(last);
}

void loci_bound_allocator(void) {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

void loci_trim_allocator(void) { malloc_trim(0); }
