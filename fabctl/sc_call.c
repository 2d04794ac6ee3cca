#include "fabctl/sc_call.h"

#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 80 /* fabctl's own options and verb, and CTL_POS_MAX words */

#define LOOK_MS 100 /* at sc_interrupted */

extern char **environ;

volatile sig_atomic_t sc_interrupted;

static int
spawn(struct sc_call *c, const char *dir, const char *program, char *const *argv, const int out[2],
    const int err[2])
{
	posix_spawn_file_actions_t fa;
	int rc;

	posix_spawn_file_actions_init(&fa);
	rc = posix_spawn_file_actions_addchdir_np(&fa, dir);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, out[1], STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&fa, err[1], STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn(&c->pid, program, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	errno = rc;
	return rc == 0 ? FAB_OK : FAB_EIO;
}

static int
begin(struct sc_call *c, const char *dir, const char *program, const char *const *argv)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, rc = FAB_EIO;

	*c = (struct sc_call){ .out = -1, .err = -1 };
	if (pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0)
		rc = spawn(c, dir, program, (char *const *)(uintptr_t)argv, out, err);
	if (out[1] >= 0)
		close(out[1]);
	if (err[1] >= 0)
		close(err[1]);
	c->out = out[0];
	c->err = err[0];
	return rc;
}

int
sc_call_begin(
    struct sc_call *c, const char *dir, const char *url, bool json, const char *const *words)
{
	const char *argv[WORDS_MAX + 1] = { "fabctl" };
	size_t n = 1;

	if (json) {
		argv[n++] = "-o";
		argv[n++] = "json";
	}
	if (url != NULL) {
		argv[n++] = "--url";
		argv[n++] = url;
	}
	for (; *words != NULL && n < WORDS_MAX; words++)
		argv[n++] = *words;
	return begin(c, dir, "/proc/self/exe", argv);
}

int
sc_call_shell(struct sc_call *c, const char *dir, const char *command)
{
	if (begin(c, dir, "/bin/sh", (const char *[]){ "sh", "-c", command, NULL }) != FAB_OK)
		return c->status = 127;
	sc_call_end(c);
	return c->status;
}

/* False at the end. */
static bool
take(struct sc_call *c, int which, int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));
	char *more;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	if (c->len[which] + (size_t)n >= SC_OUTPUT_MAX)
		return true;
	FAB_ASSERT((more = realloc(c->text[which], c->len[which] + (size_t)n + 1)) != NULL);
	memcpy(more + c->len[which], buf, (size_t)n);
	c->len[which] += (size_t)n;
	more[c->len[which]] = '\0';
	c->text[which] = more;
	return true;
}

static void
take_ready(struct sc_call *c, int which, int *fd, const struct pollfd *p)
{
	if (p->revents == 0 || take(c, which, *fd))
		return;
	close(*fd);
	*fd = -1;
}

void
sc_call_end(struct sc_call *c)
{
	bool before = sc_interrupted;
	int status = 0;

	while (c->out >= 0 || c->err >= 0) {
		struct pollfd p[2] = { { .fd = c->out, .events = POLLIN },
			{ .fd = c->err, .events = POLLIN } };

		if (sc_interrupted && !before) {
			kill(c->pid, SIGINT);
			before = true;
		}
		if (poll(p, 2, LOOK_MS) < 0)
			continue;
		take_ready(c, 0, &c->out, &p[0]);
		take_ready(c, 1, &c->err, &p[1]);
	}
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void
sc_call_fini(struct sc_call *c)
{
	if (c->out >= 0)
		close(c->out);
	if (c->err >= 0)
		close(c->err);
	free(c->text[0]);
	free(c->text[1]);
	c->text[0] = c->text[1] = NULL;
}

const char *
sc_call_out(const struct sc_call *c)
{
	return c->text[0] != NULL ? c->text[0] : "";
}

const char *
sc_call_why(struct sc_call *c)
{
	char *text = c->text[1];

	if (text == NULL)
		return "";
	if (strncmp(text, "fabctl: ", 8) == 0)
		text += 8;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

int
sc_call(struct sc_call *c, const char *dir, const char *url, bool json, const char *const *words)
{
	if (sc_call_begin(c, dir, url, json, words) != FAB_OK)
		return c->status = 127;
	sc_call_end(c);
	return c->status;
}
