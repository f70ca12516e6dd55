// What the peers on Node.js share: the verbs, the worker processes, the clock and the figures.
//
// A peer is an object:
//   name, settings              for the report
//   open(), close()             its connections in the process that coordinates
//   prepare()                   makes its schema
//   empty()                     removes every job
//   load(jobs)                  submits that many, not timed
//   tables                      what VACUUM ANALYZE is given after that
//   left()                      how many jobs are not done yet
//   submitters                  ways to submit: [{ what, batches, submit(payloads, batch) }]
//   add(number)                 submits one job by itself, its payload { measured: number }
//   work(started)               in a worker process: opens, returns { drain(), listen(), close() };
//                               started(payload) is called first thing in each handler
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";

const PROCESSES = 2;
// Jobs that each measurement begins with, so that none pays for code that is not compiled yet.
const WARM_UP = 10000;
const LOAD_JOBS = 100;
const LOAD_INTERVAL_MS = 100;

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

/** The version of a package that is measured. */
export function versionOf(name) {
	return dependencies[name];
}

/** The payload of job n, about 110 bytes, as SQL and as an object. */
export const PAYLOAD_SQL = `json_build_object('customer', 100000 + n, 'order', md5(n::text),
	'amount', n % 1000, 'currency', 'EUR', 'note', 'plain')`;

function payloadOf(n) {
	const order = n.toString(16).padStart(32, "0");
	return { customer: 100000 + n, order, amount: n % 1000, currency: "EUR", note: "plain" };
}

/** Seconds by the clock that all processes of the machine share. */
export function now() {
	const [seconds, nanoseconds] = process.hrtime();
	return seconds + nanoseconds / 1e9;
}

// --- the worker processes ------------------------------------------------------------------------

/** In a worker: obeys the coordinator until it is gone. */
async function serve(peer) {
	const seen = { count: 0, first: Infinity };
	const worker = await peer.work((payload) => {
		const at = now();
		if (seen.count++ === 0) {
			seen.first = at;
		}
		if (payload.measured !== undefined) {
			process.send({ measured: payload.measured, at });
		}
	});
	process.on("message", async (verb) => {
		seen.count = 0;
		await worker[verb]();
		process.send({ answer: verb, ...seen, last: now() });
	});
	process.on("disconnect", () => process.exit(0));
	process.send({ answer: "open" });
}

/** The answer of a worker to its verb; fails when it ends instead. */
async function answerOf(worker, verb) {
	const given_up = new AbortController();
	const ended = once(worker, "exit", { signal: given_up.signal }).then(([code]) => {
		throw new Error(`a worker ended with ${code} before it was done`);
	});
	for (;;) {
		const message = once(worker, "message", { signal: given_up.signal });
		const [{ answer, ...rest }] = await Promise.race([message, ended]);
		if (answer === verb) {
			ended.catch(() => {});
			given_up.abort();
			return rest;
		}
	}
}

// However this process ends, its workers end with it.
const BOUND = { execPath: "setpriv", execArgv: ["--pdeathsig", "KILL", process.execPath] };

async function startWorkers(count) {
	const workers = Array.from({ length: count }, () => fork(process.argv[1], ["work"], BOUND));
	await Promise.all(workers.map((worker) => answerOf(worker, "open")));
	return workers;
}

function command(workers, verb) {
	const answers = workers.map((worker) => answerOf(worker, verb));
	for (const worker of workers) {
		worker.send(verb);
	}
	return Promise.all(answers);
}

async function stopWorkers(workers) {
	await command(workers, "close");
	await Promise.all(workers.map((worker) => (worker.disconnect(), once(worker, "exit"))));
}

// --- the verbs -----------------------------------------------------------------------------------

async function settle(db, peer) {
	await db.query(`vacuum analyze ${peer.tables}`);
	await db.query("checkpoint");
}

async function fill(db, peer, jobs) {
	await peer.empty();
	await settle(db, peer);
	await peer.load(jobs);
	await settle(db, peer);
}

async function prepare(db, peer) {
	await peer.prepare();
	const { rows } = await db.query("select current_setting('synchronous_commit') as sync");
	return `${peer.settings}; Node.js ${process.versions.node}; synchronous_commit ${rows[0].sync}`;
}

/** Jobs per second of the best way to submit: each adds to a table that holds as many, analysed. */
async function submit(db, peer, jobs) {
	const payloads = Array.from({ length: jobs }, (_, n) => payloadOf(n));
	let best = 0;
	await fill(db, peer, jobs);
	for (const { what, batches, submit } of peer.submitters) {
		for (const batch of new Set(batches.map((most) => Math.min(most, jobs)))) {
			const began = now();
			await submit(payloads, batch);
			const rate = jobs / (now() - began);
			console.error(`${peer.name}: ${what}, ${batch} a call: ${rate.toFixed(0)} jobs/s`);
			best = Math.max(best, rate);
			await settle(db, peer);
		}
	}
	await peer.empty();
	return best.toFixed(0);
}

/** Jobs per second from the first job begun to the last completion committed. */
async function drain(db, peer, jobs) {
	const workers = await startWorkers(PROCESSES);
	await fill(db, peer, WARM_UP);
	await command(workers, "drain");
	await fill(db, peer, jobs);
	const parts = await command(workers, "drain");
	await stopWorkers(workers);
	const done = parts.reduce((sum, part) => sum + part.count, 0);
	const left = await peer.left();
	if (done !== jobs || left !== 0) {
		throw new Error(`${done} of ${jobs} jobs were done, ${left} are left`);
	}
	const first = Math.min(...parts.map((part) => part.first));
	const last = Math.max(...parts.map((part) => part.last));
	await peer.empty();
	return (jobs / (last - first)).toFixed(0);
}

/** Keeps the queue busy until the signal. */
async function keepBusy(peer, signal) {
	while (!signal.aborted) {
		await peer.load(LOAD_JOBS);
		await delay(LOAD_INTERVAL_MS);
	}
}

/** Microseconds from the call that adds a job to its handler's first line: p50, p99, most. */
async function latency(db, peer, jobs, busy) {
	await fill(db, peer, WARM_UP);
	const workers = await startWorkers(1);
	await command(workers, "drain");
	await command(workers, "listen");
	const over = new AbortController();
	const load = busy ? keepBusy(peer, over.signal) : null;
	const taken = [];
	for (let number = 1; number <= jobs; number++) {
		const started = startOf(workers[0], number);
		const added = now();
		await peer.add(number);
		taken.push((await started) - added);
		await delay(10 + Math.random() * 20);
	}
	over.abort();
	await load;
	await stopWorkers(workers);
	await peer.empty();
	taken.sort((a, b) => a - b);
	const at = (part) => Math.round(taken[Math.ceil(part * jobs) - 1] * 1e6);
	return `${at(0.5)} ${at(0.99)} ${at(1)}`;
}

/** When the measured job of that number began. */
function startOf(worker, number) {
	return new Promise((resolve, reject) => {
		const ended = () => reject(new Error("the worker ended"));
		const listen = ({ measured, at }) => {
			if (measured === number) {
				worker.off("message", listen);
				worker.off("exit", ended);
				resolve(at);
			}
		};
		worker.on("message", listen);
		worker.on("exit", ended);
	});
}

const VERBS = { prepare, submit, drain, latency };

/** PEER.js prepare | submit N | drain N | latency N [load] | work */
export async function main(peer) {
	const [verb, count, load] = process.argv.slice(2);
	if (verb === "work") {
		await serve(peer);
		return;
	}
	const db = new pg.Client();
	try {
		await db.connect();
		await peer.open(db);
		const figure = await VERBS[verb](db, peer, Number(count), load === "load");
		console.log(`${peer.name}\t${figure}`);
		await peer.close();
		await db.end();
	} catch (error) {
		console.error(`${peer.name}: ${error.stack}`);
		process.exit(1);
	}
}
