/* Keeps, beside a running process, what a machine that loses its power would find:
 * the content of each file as of its last fsync, and the entries of each folder as
 * of its last fsync. Loaded with LD_PRELOAD; the shadow goes to $CLAVIGER_SHADOW:
 *
 *   inode/NUMBER      the content of a file at its last fsync or fdatasync
 *   name/NUMBER       the path that it had then
 *   folder/NUMBER     the path of a folder, then a line "NUMBER NAME" an entry,
 *                     at its last fsync
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
typedef int (*sync_fn)(int);

/* Several processes may keep the same file: each writes beside it under its own name. */
static void place(char *path, char *beside, const char *shadow, const char *kind, ino_t inode) {
    snprintf(path, 4096, "%s/%s/%lu", shadow, kind, (unsigned long)inode);
    snprintf(beside, 4200, "%s.%d.new", path, (int)getpid());
}

static void path_of(int fd, char *own, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, own, size - 1);
    if (n < 0) abort();
    own[n] = 0;
}

static void keep_file(int fd, const char *shadow, ino_t inode) {
    char path[4096], beside[4200], own[4096], buffer[65536];
    place(path, beside, shadow, "inode", inode);
    int out = open(beside, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (out < 0) abort();
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, buffer, sizeof buffer, at)) > 0) {
        if (write(out, buffer, (size_t)n) != n) abort();
        at += n;
    }
    close(out);
    if (rename(beside, path) != 0) abort();
    place(path, beside, shadow, "name", inode);
    path_of(fd, own, sizeof own);
    FILE *name = fopen(beside, "w");
    if (!name) abort();
    fputs(own, name);
    fclose(name);
    if (rename(beside, path) != 0) abort();
}

static void keep_folder(int fd, const char *shadow, ino_t inode) {
    char path[4096], beside[4200], own[4096];
    place(path, beside, shadow, "folder", inode);
    path_of(fd, own, sizeof own);
    FILE *out = fopen(beside, "w");
    DIR *folder = opendir(own);
    if (!out || !folder) abort();
    fprintf(out, "%s\n", own);
    struct dirent *entry;
    while ((entry = readdir(folder)))
        if (entry->d_type == DT_REG)
            fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(folder);
    fclose(out);
    if (rename(beside, path) != 0) abort();
}

static int synced(int fd, const char *name) {
    sync_fn real = (sync_fn)dlsym(RTLD_NEXT, name);
    int answer = real(fd);
    const char *shadow = getenv("CLAVIGER_SHADOW");
    struct stat about;
    if (answer == 0 && shadow && fstat(fd, &about) == 0) {
        pthread_mutex_lock(&one_at_a_time);
        if (S_ISREG(about.st_mode)) {
            /* The descriptor may be open for writing only: read through another. */
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            int again = open(link, O_RDONLY);
            if (again < 0) abort();
            keep_file(again, shadow, about.st_ino);
            close(again);
        } else if (S_ISDIR(about.st_mode)) {
            keep_folder(fd, shadow, about.st_ino);
        }
        pthread_mutex_unlock(&one_at_a_time);
    }
    return answer;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
