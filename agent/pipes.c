#include "agent/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct pipes CLOSED = PIPES_CLOSED;

enum { PIPE_BYTES = 256 * 1024 }; /* of a service, where the kernel allows it */

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int write_payload(int fd, struct wire_bytes payload, struct error *err)
{
	size_t done = 0;

	while (done < payload.length) {
		/* The position stays at 0, where the handler reads. */
		ssize_t more = pwrite(fd, payload.bytes + done, payload.length - done, (off_t)done);

		if (more < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_RETRY, errno, "cannot store a payload");
		if (more > 0)
			done += (size_t)more;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot seal a payload");
	return 0;
}

static int open_input(struct pipes *pipes, struct wire_bytes payload, struct error *err)
{
	pipes->input = memfd_create("locum-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (pipes->input < 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a file in memory");
	return write_payload(pipes->input, payload, err);
}

static int open_pipe(int *read_end, int *write_end, const struct program *program,
		     struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a pipe");
	*read_end = ends[0];
	*write_end = ends[1];
	if (program->switches_user && fchown(ends[1], program->uid, program->gid) != 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot give a pipe away");
	return 0;
}

int pipes_open(struct pipes *pipes, struct wire_bytes payload, const struct program *program,
	       struct error *err)
{
	*pipes = CLOSED;
	if (open_input(pipes, payload, err) == 0 &&
	    open_pipe(&pipes->output_read, &pipes->output_write, program, err) == 0 &&
	    open_pipe(&pipes->result_read, &pipes->result_write, program, err) == 0)
		return 0;
	pipes_close(pipes);
	return -1;
}

int pipes_open_service(struct pipes *pipes, const struct program *program, struct error *err)
{
	*pipes = CLOSED;
	pipes->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipes->input < 0)
		error_set_errno(err, ERROR_RETRY, errno, "cannot open /dev/null");
	else if (open_pipe(&pipes->output_read, &pipes->output_write, program, err) == 0 &&
		 open_pipe(&pipes->result_read, &pipes->result_write, program, err) == 0 &&
		 open_pipe(&pipes->orders_read, &pipes->orders_write, program, err) == 0) {
		fcntl(pipes->result_read, F_SETPIPE_SZ, PIPE_BYTES);
		fcntl(pipes->orders_write, F_SETPIPE_SZ, PIPE_BYTES);
		return 0;
	}
	pipes_close(pipes);
	return -1;
}

int pipes_open_host(struct pipes *pipes, int third, int fourth, const struct program *program,
		    struct error *err)
{
	*pipes = CLOSED;
	pipes->orders_read = third;
	pipes->result_write = fourth;
	pipes->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipes->input < 0)
		error_set_errno(err, ERROR_RETRY, errno, "cannot open /dev/null");
	else if (open_pipe(&pipes->output_read, &pipes->output_write, program, err) == 0)
		return 0;
	pipes_close(pipes);
	return -1;
}

void pipes_close_orders(struct pipes *pipes)
{
	close_one(&pipes->orders_write);
}

void pipes_close_theirs(struct pipes *pipes)
{
	close_one(&pipes->input);
	close_one(&pipes->output_write);
	close_one(&pipes->result_write);
	close_one(&pipes->orders_read);
}

void pipes_close(struct pipes *pipes)
{
	pipes_close_theirs(pipes);
	close_one(&pipes->output_read);
	close_one(&pipes->result_read);
	close_one(&pipes->orders_write);
}
