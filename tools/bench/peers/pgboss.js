// pg-boss: jobs fetched and completed in bulk, as "fetch()" and "complete()" of its page on jobs say.
import { PgBoss } from "pg-boss";
import { PAYLOAD_SQL, main, versionOf } from "./peer.js";

const QUEUE = "bench";
const BATCH = 2000;
const LOOPS = 4;

let db;
let boss;

async function start() {
	const started = new PgBoss({ useListenNotify: true });
	started.on("error", (error) => console.error(`pgboss: ${error.message}`));
	await started.start();
	return started;
}

async function insert(payloads, batch) {
	for (let first = 0; first < payloads.length; first += batch) {
		await boss.insert(
			QUEUE,
			payloads.slice(first, first + batch).map((data) => ({ data })),
		);
	}
}

async function work(started) {
	const worker = await start();
	const empty = async () => {
		for (;;) {
			const jobs = await worker.fetch(QUEUE, { batchSize: BATCH });
			if (jobs.length === 0) {
				return;
			}
			for (const job of jobs) {
				await started(job.data);
			}
			await worker.complete(
				QUEUE,
				jobs.map((job) => job.id),
			);
		}
	};
	return {
		drain: () => Promise.all(Array.from({ length: LOOPS }, empty)),
		listen: () =>
			worker.work(
				QUEUE,
				{ batchSize: BATCH, burstWhenBatchFull: true },
				async (jobs) => {
					for (const job of jobs) {
						await started(job.data);
					}
				},
			),
		close: () => worker.stop(),
	};
}

await main({
	name: "pgboss",
	settings:
		`pg-boss ${versionOf("pg-boss")}, 2 processes of ${LOOPS} loops, batchSize ${BATCH}, ` +
		"a partition of its own, LISTEN/NOTIFY",
	tables: "pgboss.job",
	submitters: [{ what: "insert()", batches: [1000, 10000, 100000], submit: insert }],
	async open(client) {
		db = client;
		boss = await start();
		await boss.createQueue(QUEUE, { notify: true, partition: true });
	},
	close: () => boss.stop(),
	prepare: async () => {},
	empty: () => boss.deleteAllJobs(QUEUE),
	async load(jobs) {
		const { rows } = await db.query(
			`select ${PAYLOAD_SQL} as data from generate_series(1, $1::int) as n`,
			[jobs],
		);
		await insert(
			rows.map((row) => row.data),
			1000,
		);
	},
	async left() {
		const { rows } = await db.query(
			"select count(*)::int from pgboss.job where name = $1 and state <> 'completed'",
			[QUEUE],
		);
		return rows[0].count;
	},
	add: (number) => boss.send(QUEUE, { measured: number }),
	work,
});
