#include "tools/chaos/report/picture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/report/words.h"

/* In pixels of a picture that is scaled to its page. */
enum {
	WIDTH = 1120,
	LEFT = 92,
	RIGHT = 16,
	LABELS = 34, /* for the numbers of the faults, in two rows */
	LABEL_ROW = 14,
	LABEL_WIDTH = 20,
	CURVE_GAP = 26,
	CURVE = 76,
	AXIS = 22,
	TICK_LEAST = 70, /* between two of the axis */
	LANE_FEW = 34,
	LANE_SOME = 24,
	LANE_MANY = 15,
};

struct picture {
	FILE *out;
	const struct digest_act *act;
	const struct timeline *timeline;
	int lane;       /* the height of one */
	int bar;        /* of a life in it */
	int lanes_end;  /* y */
	int curve_base; /* y */
	uint32_t claimed_most;
	uint32_t ended_most;
};

static double x_of(const struct picture *picture, int64_t at_us)
{
	const struct timeline *timeline = picture->timeline;
	double span = (double)(timeline->to_us - timeline->from_us);
	double part = (double)(at_us - timeline->from_us) / span;

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static double x_of_slice(const struct picture *picture, size_t slice)
{
	return x_of(picture, picture->timeline->from_us +
				     (int64_t)slice * timeline_slice_us(picture->timeline));
}

static double seconds(const struct picture *picture, int64_t at_us)
{
	return (double)(at_us - picture->timeline->from_us) / 1e6;
}

static int lane_top(const struct picture *picture, size_t lane)
{
	return LABELS + (int)lane * picture->lane;
}

static void write_title(const struct picture *picture, const char *text)
{
	fputs("<title>", picture->out);
	words_escape(picture->out, text);
	fputs("</title>", picture->out);
}

/* --- axes --------------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, in seconds, so that ticks do not stand too close. */
static double tick_step(const struct picture *picture)
{
	static const double STEPS[] = { 1, 2, 5 };
	double span = seconds(picture, picture->timeline->to_us);
	double least = span * TICK_LEAST / (WIDTH - LEFT - RIGHT);

	for (double power = 0.1;; power *= 10)
		for (int i = 0; i < 3; i++)
			if (STEPS[i] * power >= least)
				return STEPS[i] * power;
}

static void write_axis(const struct picture *picture)
{
	double step = tick_step(picture);
	double end = seconds(picture, picture->timeline->to_us);

	for (int i = 0; i * step <= end; i++) {
		double x = x_of(picture, picture->timeline->from_us + (int64_t)(i * step * 1e6));

		fprintf(picture->out,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
			"<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g%s</text>\n",
			x, x, LABELS, picture->curve_base, x, picture->curve_base + 16, i * step,
			i == 0 ? " s" : "");
	}
}

/* --- faults ------------------------------------------------------------------------------------- */

static int64_t heal_of(const struct picture *picture, const struct digest_bout *bout)
{
	if (bout->healed_us != DIGEST_NO_TIME)
		return bout->healed_us;
	return bout->settled_us != DIGEST_NO_TIME ? bout->settled_us : picture->timeline->to_us;
}

static void write_rect(const struct picture *picture, const char *class, double from, double to,
		       int y, int height)
{
	fprintf(picture->out,
		"<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", class,
		from, y, to - from < 1.5 ? 1.5 : to - from, height);
}

static void write_band(const struct picture *picture, const struct digest_bout *bout)
{
	int64_t healed_us = heal_of(picture, bout);
	int height = picture->curve_base - LABELS;
	char *end;
	long target = strtol(bout->target, &end, 10);
	char title[256];

	snprintf(title, sizeof(title), "%d: %s, from %.1f s to %.1f s", bout->number, bout->fault,
		 seconds(picture, bout->injected_us), seconds(picture, healed_us));
	fputs("<g>", picture->out);
	write_title(picture, title);
	write_rect(picture, "fault", x_of(picture, bout->injected_us), x_of(picture, healed_us),
		   LABELS, height);
	if (bout->settled_us > healed_us)
		write_rect(picture, "settling", x_of(picture, healed_us),
			   x_of(picture, bout->settled_us), LABELS, height);
	if (bout->target[0] != '\0' && *end == '\0' && target >= 0 &&
	    (size_t)target < picture->timeline->lane_count)
		write_rect(picture, "hurt", x_of(picture, bout->injected_us),
			   x_of(picture, healed_us), lane_top(picture, (size_t)target),
			   picture->lane);
	fputs("</g>\n", picture->out);
}

/* Their numbers above, in the lower row, or the upper one where the lower is taken, or not at all. */
static void write_labels(const struct picture *picture)
{
	double taken[2] = { 0, 0 };

	for (size_t i = 0; i < picture->act->bout_count; i++) {
		const struct digest_bout *bout = &picture->act->bouts[i];
		double x = x_of(picture, bout->injected_us);
		int row = x >= taken[0] ? 0 : 1;

		if (x < taken[row])
			continue;
		taken[row] = x + LABEL_WIDTH;
		fprintf(picture->out, "<text class=\"number\" x=\"%.1f\" y=\"%d\">%d</text>\n", x,
			LABELS - 6 - row * LABEL_ROW, bout->number);
	}
}

/* --- lanes -------------------------------------------------------------------------------------- */

static void write_life(const struct picture *picture, const struct timeline_life *life, int top)
{
	char title[256];

	snprintf(title, sizeof(title), "life %.8s…, from %.1f s to %.1f s%s", life->incarnation,
		 seconds(picture, life->from_us), seconds(picture, life->to_us),
		 life->stopped       ? ", stopped in order"
		 : life->dead_us > 0 ? ", declared dead"
				     : "");
	fputs("<g>", picture->out);
	write_title(picture, title);
	write_rect(picture, "life", x_of(picture, life->from_us), x_of(picture, life->to_us), top,
		   picture->bar);
	fputs("</g>\n", picture->out);
}

/* An area over slices, as high as `height` at `most`. */
static void write_area(const struct picture *picture, const char *class, const uint32_t *counts,
		       uint32_t most, int base, int height)
{
	bool open = false;

	fprintf(picture->out, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < TIMELINE_SLICES; i++) {
		double high = most == 0 ? 0 : (double)counts[i] * height / most;

		if (counts[i] == 0) {
			if (open)
				fprintf(picture->out, "V%d", base);
			open = false;
			continue;
		}
		if (!open)
			fprintf(picture->out, "M%.1f %d", x_of_slice(picture, i), base);
		open = true;
		fprintf(picture->out, "V%.1fH%.1f", base - (high < 1 ? 1 : high),
			x_of_slice(picture, i + 1));
	}
	if (open)
		fprintf(picture->out, "V%d", base);
	fputs("\"/>\n", picture->out);
}

static void write_death(const struct picture *picture, const struct timeline_life *life, int top)
{
	double x = x_of(picture, life->dead_us);
	int middle = top + picture->bar / 4;
	char title[128];

	snprintf(title, sizeof(title), "declared dead at %.1f s", seconds(picture, life->dead_us));
	fputs("<g>", picture->out);
	write_title(picture, title);
	fprintf(picture->out,
		"<path class=\"death\" d=\"M%.1f %dl10 10m0 -10l-10 10\"/>"
		"<path class=\"cross\" d=\"M%.1f %dl10 10m0 -10l-10 10\"/></g>\n",
		x - 5, middle - 5, x - 5, middle - 5);
}

/* What others got of its jobs, a mark for each slice in which some did. */
static void write_taken(const struct picture *picture, const struct timeline_lane *lane, int top)
{
	int middle = top + picture->bar * 3 / 4;

	for (size_t i = 0; i < TIMELINE_SLICES; i++) {
		char title[128];

		if (lane->taken[i] == 0)
			continue;
		snprintf(title, sizeof(title), "%u jobs were taken from the dead", lane->taken[i]);
		fputs("<g>", picture->out);
		write_title(picture, title);
		fprintf(picture->out,
			"<path class=\"taken\" d=\"M%.1f %dl5 5l-5 5l-5 -5z\"/></g>\n",
			x_of_slice(picture, i), middle - 5);
	}
}

static void write_lane(const struct picture *picture, size_t i)
{
	const struct timeline_lane *lane = &picture->timeline->lanes[i];
	int top = lane_top(picture, i) + (picture->lane - picture->bar) / 2;

	fprintf(picture->out, "<text class=\"lane\" x=\"%d\" y=\"%d\" text-anchor=\"end\">",
		LEFT - 10, top + picture->bar / 2 + 4);
	words_escape(picture->out, lane->name);
	fputs("</text>\n", picture->out);
	for (size_t j = 0; j < lane->life_count; j++)
		write_life(picture, &lane->lives[j], top);
	write_area(picture, "claims", lane->claimed, picture->claimed_most, top + picture->bar,
		   picture->bar);
	for (size_t j = 0; j < lane->fence_count; j++)
		fprintf(picture->out,
			"<path class=\"fence\" d=\"M%.1f %dv%d\"><title>its fence fell at %.1f "
			"s</title></path>\n",
			x_of(picture, lane->fences_us[j]), top - 3, picture->bar + 6,
			seconds(picture, lane->fences_us[j]));
	for (size_t j = 0; j < lane->life_count; j++)
		if (lane->lives[j].dead_us > 0)
			write_death(picture, &lane->lives[j], top);
	write_taken(picture, lane, top);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void write_curve(const struct picture *picture)
{
	double slice_s = (double)timeline_slice_us(picture->timeline) / 1e6;
	char most[WORDS_SIZE];

	words_number((int64_t)((double)picture->ended_most / slice_s + 0.5), most);
	write_area(picture, "ended", picture->timeline->ended, picture->ended_most,
		   picture->curve_base, CURVE);
	fprintf(picture->out,
		"<line class=\"base\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>"
		"<text class=\"lane\" x=\"%d\" y=\"%d\" text-anchor=\"end\">ended</text>"
		"<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s/s</text>"
		"<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
		LEFT, WIDTH - RIGHT, picture->curve_base, picture->curve_base, LEFT - 10,
		picture->curve_base - CURVE / 2 + 4, LEFT - 10, picture->curve_base - CURVE + 8,
		most, LEFT - 10, picture->curve_base);
}

static uint32_t most_of(const uint32_t *counts, uint32_t most)
{
	for (size_t i = 0; i < TIMELINE_SLICES; i++)
		most = counts[i] > most ? counts[i] : most;
	return most;
}

static void measure(struct picture *picture)
{
	const struct timeline *timeline = picture->timeline;

	picture->lane = timeline->lane_count <= 10   ? LANE_FEW
			: timeline->lane_count <= 20 ? LANE_SOME
						     : LANE_MANY;
	picture->bar = picture->lane * 2 / 3;
	picture->lanes_end = lane_top(picture, timeline->lane_count);
	picture->curve_base = picture->lanes_end + CURVE_GAP + CURVE;
	for (size_t i = 0; i < timeline->lane_count; i++)
		picture->claimed_most = most_of(timeline->lanes[i].claimed, picture->claimed_most);
	picture->ended_most = most_of(timeline->ended, 0);
}

void picture_write(FILE *out, const struct digest_act *act, const struct timeline *timeline)
{
	struct picture picture = { .out = out, .act = act, .timeline = timeline };

	measure(&picture);
	fprintf(out,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"time-line of the act\">\n",
		WIDTH, picture.curve_base + AXIS);
	write_axis(&picture);
	for (size_t i = 0; i < act->bout_count; i++)
		write_band(&picture, &act->bouts[i]);
	write_labels(&picture);
	for (size_t i = 0; i < timeline->lane_count; i++)
		write_lane(&picture, i);
	write_curve(&picture);
	fputs("</svg>\n", out);
}
