// SPDX-License-Identifier: Apache-2.0
// A client made from the .proto files: makes the README's first call, watches the trust domain it creates, starts it,
// waits until its guest is done, deletes it, and checks that nothing is left. Ends with 1 at the first surprise.
//
// Usage: node client.js HOST:PORT PROTO_FOLDER...
"use strict";

const assert = require("node:assert/strict");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [target, ...includeDirs] = process.argv.slice(2);

const definition = loader.loadSync(
  [
    "seamlab/v1/trust_domains.proto",
    "seamlab/v1/host.proto",
    "seamlab/v1/audit.proto",
    "google/longrunning/operations.proto",
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
  ],
  { includeDirs, keepCase: true, longs: String, enums: String, defaults: true, oneofs: true },
);
const api = grpc.loadPackageDefinition(definition);
const credentials = grpc.credentials.createInsecure();
const clients = {
  td: new api.seamlab.v1.TrustDomains(target, credentials),
  host: new api.seamlab.v1.Host(target, credentials),
  audit: new api.seamlab.v1.Audit(target, credentials),
  operations: new api.google.longrunning.Operations(target, credentials),
};

/** A unary call as a promise. */
function call(client, method, request = {}) {
  return new Promise((resolve, reject) => {
    client[method](request, { deadline: Date.now() + 60_000 }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

async function finished(operation) {
  while (!operation.done) {
    operation = await call(clients.operations, "WaitOperation", { name: operation.name });
  }
  assert.ok(!operation.error, operation.error?.message);
  return operation;
}

async function main() {
  const before = await call(clients.host, "GetMemoryReport");

  // The README's first call.
  const created = await finished(
    await call(clients.td, "CreateTrustDomain", {
      trust_domain_id: "web",
      trust_domain: { memory_bytes: 268435456, guest_program: { built_in: "boot-lazy" } },
    }),
  );
  assert.match(created.response.type_url, /seamlab\.v1\.TrustDomain$/);
  const name = "trustDomains/web";
  const td = await call(clients.td, "GetTrustDomain", { name });
  assert.equal(td.state, "READY");
  assert.equal(td.mrtd.length, 48);
  console.log("created", td.name, td.mrtd.toString("hex").slice(0, 16));

  const states = [];
  let deleted = false;
  const watch = clients.td.WatchTrustDomain({ name });
  const ended = new Promise((resolve, reject) => watch.on("end", resolve).on("error", reject));
  const guestDone = new Promise((resolve) =>
    watch.on("data", (change) => {
      deleted = deleted || change.deleted;
      if (states.at(-1) !== change.trust_domain.state) {
        states.push(change.trust_domain.state);
      }
      if (change.trust_domain.progress?.finished_vcpus === change.trust_domain.vcpu_count) {
        resolve();
      }
    }),
  );
  await call(clients.td, "StartTrustDomain", { name });
  await guestDone;
  const now = await call(clients.td, "GetTrustDomain", { name });
  if (now.state === "RUNNING") {
    await call(clients.td, "StopTrustDomain", { name });
  }
  await finished(await call(clients.td, "DeleteTrustDomain", { name }));
  await ended;
  assert.ok(deleted, "the watch did not tell the end");
  console.log("watched", states.join(" "));

  await assert.rejects(call(clients.td, "GetTrustDomain", { name }), (error) => {
    assert.equal(error.code, grpc.status.NOT_FOUND);
    assert.ok(error.metadata.get("grpc-status-details-bin").length === 1, "no details");
    return true;
  });
  assert.deepEqual(await call(clients.host, "GetMemoryReport"), before);
  const report = await call(clients.audit, "RunAudit");
  assert.deepEqual(report.findings, []);
  console.log("gone; memory as before, audit: 0 findings");
}

main().then(
  () => process.exit(0),
  (surprise) => {
    console.error("SURPRISE:", surprise);
    process.exit(1);
  },
);
