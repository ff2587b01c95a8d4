#define _GNU_SOURCE
#include "loci_linux.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int loci_eventfd_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int loci_eventfd_signal(int descriptor) {
    const uint64_t one = 1;
    for (;;) {
        if (write(descriptor, &one, sizeof one) == (ssize_t)sizeof one || errno == EAGAIN) return 0;
        if (errno != EINTR) return -1;
    }
}

int loci_eventfd_drain(int descriptor) {
    uint64_t count;
    for (;;) {
        const ssize_t got = read(descriptor, &count, sizeof count);
        if (got == (ssize_t)sizeof count || errno == EAGAIN) return 0;
        if (errno != EINTR) return -1;
    }
}
