// graphile-worker, batched as the section "Batching" of its performance page says.
import { EventEmitter, once } from "node:events";
import { Logger, makeWorkerUtils, run, runMigrations, runOnce } from "graphile-worker";
import pg from "pg";
import { PAYLOAD_SQL, main, versionOf } from "./peer.js";

const BATCHED = {
	concurrentJobs: 24,
	maxPoolSize: 25,
	localQueue: { size: 2000 },
	completeJobBatchDelay: 0,
	failJobBatchDelay: 0,
};

const ADD_JOBS = `select count(*) from graphile_worker.add_jobs(array(
	select ('noop', ${PAYLOAD_SQL}, null, null, null, null, null, null)::graphile_worker.job_spec
	from generate_series(1, $1::int) as n))`;

let db;
let pool;
let utils;

// A pool that reports what goes wrong on an idle connection, which graphile-worker asks for.
function makePool(max) {
	const made = new pg.Pool({ max });
	const report = (error) => console.error(`graphile: ${error.message}`);
	made.on("error", report);
	made.on("connect", (client) => client.on("error", report));
	return made;
}

async function bySql(jobs, batch) {
	for (let left = jobs; left > 0; left -= batch) {
		await db.query({ name: "add_jobs", text: ADD_JOBS, values: [Math.min(left, batch)] });
	}
}

async function byClient(payloads, batch) {
	for (let first = 0; first < payloads.length; first += batch) {
		await utils.addJobs(
			payloads
				.slice(first, first + batch)
				.map((payload) => ({ identifier: "noop", payload })),
		);
	}
}

async function work(started) {
	const workers = makePool(BATCHED.maxPoolSize);
	const events = new EventEmitter();
	const options = {
		preset: { worker: { ...BATCHED, logger: new Logger(() => () => {}) } },
		pgPool: workers,
		events,
		taskList: { noop: started },
		noHandleSignals: true,
	};
	let runner = null;
	return {
		drain: () => runOnce(options),
		async listen() {
			const listening = once(events, "pool:listen:success");
			runner = await run(options);
			await listening;
		},
		async close() {
			await runner?.stop();
			await workers.end();
		},
	};
}

await main({
	name: "graphile",
	settings: `graphile-worker ${versionOf("graphile-worker")}, 2 processes, ${JSON.stringify(BATCHED)}`,
	tables: "graphile_worker._private_jobs",
	submitters: [
		{
			what: "add_jobs in SQL",
			batches: [1000, 10000, 100000],
			submit: (payloads, batch) => bySql(payloads.length, batch),
		},
		{ what: "addJobs by the client", batches: [1000, 10000, 100000], submit: byClient },
	],
	async open(client) {
		db = client;
		pool = makePool(2);
		utils = await makeWorkerUtils({ pgPool: pool });
	},
	async close() {
		await utils.release();
		await pool.end();
	},
	prepare: () => runMigrations({ pgPool: pool }),
	empty: () => db.query("truncate graphile_worker._private_jobs"),
	load: (jobs) => bySql(jobs, 10000),
	async left() {
		const { rows } = await db.query("select count(*)::int from graphile_worker._private_jobs");
		return rows[0].count;
	},
	add: (number) => utils.addJob("noop", { measured: number }),
	work,
});
