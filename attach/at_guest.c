#include "attach/at_guest.h"

#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_LOST       1
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127
#define EXIT_SIGNAL     128

bool
at_guest_is_up(const char *iface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	bool up;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 &&
	     (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	if (fd >= 0)
		close(fd);
	return up;
}

/* The first process of a container is ended by no signal that it has no handler for. */
static void
on_signal(int sig)
{
	_exit(EXIT_SIGNAL + sig);
}

static void
handle(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigaction(sig, &sa, NULL);
}

static _Noreturn void
become(int news, char **command)
{
	char word;
	ssize_t n;

	while ((n = read(news, &word, 1)) < 0 && errno == EINTR)
		continue;
	if (n != 1)
		_exit(EXIT_LOST); /* the child has said why */
	handle(SIGTERM, SIG_DFL);
	handle(SIGINT, SIG_DFL);
	execvp(command[0], command);
	fprintf(stderr, "fabattach: cannot run %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

int
at_guest_begin(int *ready, char **command)
{
	pid_t parent = getpid(), pid;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return fab_err_from_errno(errno);
	handle(SIGTERM, on_signal);
	handle(SIGINT, on_signal);
	if ((pid = fork()) > 0) {
		close(pipe_fds[1]);
		become(pipe_fds[0], command);
	}
	close(pipe_fds[0]);
	if (pid < 0) {
		close(pipe_fds[1]);
		return fab_err_from_errno(errno);
	}
	/* Outside of a container nobody else would end it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	*ready = pipe_fds[1];
	return FAB_OK;
}

void
at_guest_ready(int *ready)
{
	if (*ready < 0)
		return;
	if (write(*ready, "", 1) != 1)
		fprintf(stderr, "fabattach: the guest's software has gone\n");
	close(*ready);
	*ready = -1;
}
