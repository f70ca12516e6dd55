#include "tools/chaos/relay/relay_line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/chaos/relay/relay_answer.h"
#include "tools/chaos/relay/relay_request.h"

struct relay_line *relay_line_open(struct relay_order *order, int epoll, int client, int server)
{
	struct relay_line *line = calloc(1, sizeof(*line));

	if (line == NULL) {
		close(client);
		close(server);
		return NULL;
	}
	line->order = order;
	line->number = order->number;
	line->epoll = epoll;
	line->client = (struct relay_end){ .line = line, .fd = client };
	line->server = (struct relay_end){ .line = line, .fd = server };
	relay_pipe_init(&line->up);
	relay_pipe_init(&line->down);
	return line;
}

/* Closing alone leaves it in epoll as long as a child that was just forked has it, too. */
static void close_end(struct relay_end *end, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (end->fd < 0)
		return;
	if (reset)
		setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	epoll_ctl(end->line->epoll, EPOLL_CTL_DEL, end->fd, NULL);
	close(end->fd);
	end->fd = -1;
	end->armed = 0;
}

void relay_line_close(struct relay_line *line)
{
	close_end(&line->client, false);
	close_end(&line->server, false);
	relay_pipe_fini(&line->up);
	relay_pipe_fini(&line->down);
	free(line);
}

void relay_line_part(struct relay_line *line)
{
	close_end(&line->client, false);
	line->down.broken = true;
}

static void reset(struct relay_line *line)
{
	close_end(&line->client, true);
	close_end(&line->server, true);
	line->over = true;
}

/* --- the rule ----------------------------------------------------------------------------------- */

static uint64_t draw(struct relay_order *order)
{
	uint64_t z = order->chance += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

bool relay_line_is_hit(struct relay_line *line)
{
	struct relay_order *order = line->order;
	const struct relay_rule *rule = &order->rule;

	if (rule->harm == RELAY_PASS || (rule->times > 0 && order->hits >= rule->times))
		return false;
	if (rule->client != NULL && strstr(line->name, rule->client) == NULL)
		return false;
	if (rule->percent > 0 && draw(order) % 100 >= (uint64_t)rule->percent)
		return false;
	order->hits++;
	return true;
}

/* What a former rule left goes on. */
static void let_go(struct relay_line *line)
{
	line->over |= line->wounded;
	line->harm = RELAY_PASS;
	line->held = false;
	line->keeping = false;
	line->at_end = line->at_end == RELAY_HOLD_AND_CUT ? RELAY_PASS : line->at_end;
	relay_pipe_hurry(&line->up);
	relay_pipe_hurry(&line->down);
}

/* Whole connections are weighed once for each rule, as soon as it is known whose they are. */
static void weigh(struct relay_line *line)
{
	const struct relay_rule *rule = &line->order->rule;

	if (rule->client != NULL && !line->typed)
		return;
	line->weighed = true;
	if (rule->trigger != NULL || rule->harm >= RELAY_CUT_REQUEST || !relay_line_is_hit(line))
		return;
	if (rule->harm == RELAY_RESET)
		reset(line);
	else
		line->harm = rule->harm;
}

static void follow_order(struct relay_line *line)
{
	if (line->number != line->order->number) {
		line->number = line->order->number;
		line->weighed = false;
		let_go(line);
	}
	if (!line->weighed && !line->over)
		weigh(line);
}

/* --- passing ------------------------------------------------------------------------------------ */

static int64_t leaves_ms(struct relay_line *line, int64_t now_ms)
{
	const struct relay_rule *rule = &line->order->rule;
	int64_t delay_ms = rule->delay_ms;

	if (line->harm != RELAY_DELAY)
		return 0;
	if (rule->jitter_ms > 0)
		delay_ms += (int64_t)(draw(line->order) % (2 * (uint64_t)rule->jitter_ms + 1)) -
			    rule->jitter_ms;
	return now_ms + (delay_ms > 0 ? delay_ms : 0);
}

void relay_line_pass(struct relay_line *line, struct relay_pipe *pipe, size_t length,
		     int64_t now_ms)
{
	enum relay_harm dropping = pipe == &line->up ? RELAY_DROP_REQUESTS : RELAY_DROP_ANSWERS;

	if (line->keeping || (line->harm != RELAY_PASS && line->harm != RELAY_DROP_NOTIFICATIONS))
		line->order->bytes += (int64_t)length;
	if (line->harm == dropping) {
		line->wounded = true;
		relay_pipe_drop(pipe, length);
	} else {
		relay_pipe_pass(pipe, length, leaves_ms(line, now_ms));
	}
}

void relay_line_hold(struct relay_line *line, int64_t now_ms)
{
	const struct relay_rule *rule = &line->order->rule;
	int64_t hold_ms = rule->hold_ms;

	/* It is another rule by now. */
	if (rule->harm != RELAY_HOLD && rule->harm != RELAY_HOLD_SYNC &&
	    rule->harm != RELAY_HOLD_AND_CUT)
		return;
	line->held = true;
	line->held_until_ms = hold_ms > 0 ? now_ms + hold_ms : INT64_MAX;
	line->order->bytes += (int64_t)buffer_length(&line->up.in);
}

static void release(struct relay_line *line, int64_t now_ms)
{
	if (!line->held || now_ms < line->held_until_ms)
		return;
	line->held = false;
	line->keeping = false;
}

/* --- its turn ----------------------------------------------------------------------------------- */

void relay_line_event(struct relay_end *end, uint32_t events)
{
	bool client = end == &end->line->client;
	struct relay_pipe *in = client ? &end->line->up : &end->line->down;
	struct relay_pipe *out = client ? &end->line->down : &end->line->up;

	in->readable |= (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		out->blocked = false;
}

static int64_t rate_of(const struct relay_line *line)
{
	return line->harm == RELAY_RATE ? line->order->rule.rate : 0;
}

static void move(struct relay_line *line, int64_t now_ms)
{
	if (line->up.readable && relay_pipe_has_room(&line->up) && line->client.fd >= 0)
		relay_pipe_read(&line->up, line->client.fd);
	if (line->down.readable && relay_pipe_has_room(&line->down))
		relay_pipe_read(&line->down, line->server.fd);
	relay_answer_pass(line, now_ms);
	relay_request_pass(line, now_ms);
	if (!line->keeping)
		relay_pipe_write(&line->up, line->server.fd, rate_of(line), now_ms);
	relay_pipe_write(&line->down, line->client.fd, rate_of(line), now_ms);
}

static bool waits(const struct relay_line *line)
{
	return line->held || line->awaited > line->answered;
}

/* Whether one of both is gone, and the other has all that it said. Whose farewell is thrown away is not gone. */
static bool is_done(const struct relay_line *line)
{
	bool client_gone = line->client.fd >= 0 && line->up.ended && !waits(line) &&
			   buffer_length(&line->up.out) == 0;
	bool server_gone = line->down.ended && buffer_length(&line->down.out) == 0;

	return (client_gone && line->harm != RELAY_DROP_REQUESTS) ||
	       (server_gone && line->harm != RELAY_DROP_ANSWERS);
}

static void arm(struct relay_line *line, struct relay_end *end, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = end };
	int operation = end->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (end->fd < 0 || events == end->armed)
		return;
	epoll_ctl(line->epoll, events == 0 ? EPOLL_CTL_DEL : operation, end->fd, &event);
	end->armed = events;
}

/* An end that waits for nothing leaves epoll, which would go on telling of a hang-up. */
static void arm_both(struct relay_line *line)
{
	bool clogged = line->harm == RELAY_HALF_OPEN;
	bool hears_client = !clogged && !line->up.ended && relay_pipe_has_room(&line->up);
	bool hears_server = !clogged && !line->down.ended && relay_pipe_has_room(&line->down);
	uint32_t client_out = !clogged && line->down.blocked ? EPOLLOUT : 0;
	uint32_t server_out = !clogged && line->up.blocked ? EPOLLOUT : 0;

	arm(line, &line->client, (hears_client ? EPOLLIN : 0) | client_out);
	arm(line, &line->server, (hears_server ? EPOLLIN : 0) | server_out);
}

void relay_line_turn(struct relay_line *line, int64_t now_ms)
{
	follow_order(line);
	release(line, now_ms);
	if (line->harm != RELAY_HALF_OPEN && !line->over) {
		move(line, now_ms);
		/* Whose it is may just have become known, or what was awaited come. */
		follow_order(line);
		if (line->resetting && buffer_length(&line->up.out) == 0)
			reset(line);
		line->over |= is_done(line);
	}
	if (!line->over)
		arm_both(line);
}

int64_t relay_line_due_ms(const struct relay_line *line, int64_t now_ms)
{
	int64_t due_ms = line->held ? line->held_until_ms : INT64_MAX;
	int64_t next_ms;

	if (line->harm == RELAY_HALF_OPEN)
		return INT64_MAX;
	next_ms = line->keeping ? INT64_MAX : relay_pipe_due_ms(&line->up, rate_of(line), now_ms);
	due_ms = next_ms < due_ms ? next_ms : due_ms;
	next_ms = relay_pipe_due_ms(&line->down, rate_of(line), now_ms);
	return next_ms < due_ms ? next_ms : due_ms;
}

int64_t relay_line_waiting(const struct relay_line *line)
{
	int client = 0;
	int server = 0;

	if (line->harm != RELAY_HALF_OPEN)
		return 0;
	if (line->client.fd >= 0)
		ioctl(line->client.fd, FIONREAD, &client);
	ioctl(line->server.fd, FIONREAD, &server);
	return (int64_t)client + server;
}
