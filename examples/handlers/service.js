#!/usr/bin/env node
// A service in Node that answers each job with its payload: lines of JSON on descriptors 3 and 4.
"use strict";
const net = require("net");

const orders = new net.Socket({ fd: 3, readable: true, writable: false });
const answers = new net.Socket({ fd: 4, readable: false, writable: true });
const running = new Map(); // an AbortController for each job that has not ended

// Throw an Error with data: { outcome: "retry" | "fail" | "snooze", afterSeconds } to say what is next.
async function work(job, signal) {
  return job.payload;
}

async function run(job) {
  const abort = new AbortController();
  running.set(job.id, abort);
  try {
    return { result: { value: await work(job, abort.signal) } };
  } catch (error) {
    return { error: { code: 1, message: String(error.message), data: error.data } };
  } finally {
    running.delete(job.id);
  }
}

function answer({ method, params }) {
  if (method === "initialize")
    return { result: { name: "echo", version: "1", concurrency: 64, pings: true } };
  return method === "job.run" ? run(params) : { result: {} };
}

async function take(order) {
  if (order.method === "job.cancel") running.get(order.params.id)?.abort();
  if (order.id === undefined) return;
  answers.write(JSON.stringify({ jsonrpc: "2.0", id: order.id, ...(await answer(order)) }) + "\n");
}

let rest = "";
orders.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  answers.cork();
  lines.forEach((line) => take(JSON.parse(line)));
  setImmediate(() => answers.uncork());
});
orders.on("end", () => setImmediate(() => answers.end()));
