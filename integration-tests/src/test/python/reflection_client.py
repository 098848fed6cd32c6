#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A foreign client that knows nothing but an address: it learns the API from server reflection.

Creates a trust domain, waits for the operation, watches it, starts it, waits until its guest is done, deletes it, and
checks that nothing is left. Prints each step; ends with 1 at the first surprise.

Needs grpcio and protobuf only (Debian: python3-grpcio, python3-protobuf). No generated code: the messages of the
reflection protocol itself are described below, everything else comes from the server.
"""

import sys
import uuid

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

REFLECTION = "grpc.reflection.v1"


def surprise(text):
    print("SURPRISE: " + text)
    sys.exit(1)


def check(condition, text):
    if not condition:
        surprise(text)


def step(text):
    print("- " + text, flush=True)


def message_class(pool, name):
    descriptor = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def reflection_pool():
    """The part of grpc/reflection/v1/reflection.proto that this client uses."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="grpc/reflection/v1/reflection.proto", package=REFLECTION, syntax="proto3"
    )

    def message(name, *fields):
        out = file.message_type.add(name=name)
        for number, field_name, kind, type_name, repeated in fields:
            entry = out.field.add(
                name=field_name,
                number=number,
                type=kind,
                label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
            )
            if type_name:
                entry.type_name = "." + REFLECTION + "." + type_name
        return out

    request = message(
        "ServerReflectionRequest",
        (1, "host", field.TYPE_STRING, None, False),
        (3, "file_by_filename", field.TYPE_STRING, None, False),
        (4, "file_containing_symbol", field.TYPE_STRING, None, False),
        (7, "list_services", field.TYPE_STRING, None, False),
    )
    request.oneof_decl.add(name="message_request")
    for entry in request.field:
        if entry.number != 1:
            entry.oneof_index = 0
    message(
        "ServerReflectionResponse",
        (4, "file_descriptor_response", field.TYPE_MESSAGE, "FileDescriptorResponse", False),
        (6, "list_services_response", field.TYPE_MESSAGE, "ListServiceResponse", False),
        (7, "error_response", field.TYPE_MESSAGE, "ErrorResponse", False),
    )
    message("FileDescriptorResponse", (1, "file_descriptor_proto", field.TYPE_BYTES, None, True))
    message("ListServiceResponse", (1, "service", field.TYPE_MESSAGE, "ServiceResponse", True))
    message("ServiceResponse", (1, "name", field.TYPE_STRING, None, False))
    message(
        "ErrorResponse",
        (1, "error_code", field.TYPE_INT32, None, False),
        (2, "error_message", field.TYPE_STRING, None, False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


class Server:
    """Everything that can be called, as reflection tells it."""

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target)
        grpc.channel_ready_future(self.channel).result(timeout=30)
        self.protocol = reflection_pool()
        self.files = {}
        self.pool = descriptor_pool.DescriptorPool()
        self.services = [s.name for s in self._ask(list_services="").list_services_response.service]

    def _ask(self, **query):
        request_type = message_class(self.protocol, REFLECTION + ".ServerReflectionRequest")
        response_type = message_class(self.protocol, REFLECTION + ".ServerReflectionResponse")
        call = self.channel.stream_stream(
            "/" + REFLECTION + ".ServerReflection/ServerReflectionInfo",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=response_type.FromString,
        )
        response = next(call(iter([request_type(**query)]), timeout=30))
        if response.HasField("error_response"):
            surprise("reflection: %s for %s" % (response.error_response.error_message, query))
        return response

    def learn(self, service):
        """Fetches the files of a service and puts them into the pool, imports first."""
        response = self._ask(file_containing_symbol=service).file_descriptor_response
        names = [self._remember(raw) for raw in response.file_descriptor_proto]
        waiting = list(names)
        while waiting:
            for needed in self.files[waiting.pop()].dependency:
                if needed not in self.files:
                    more = self._ask(file_by_filename=needed).file_descriptor_response
                    waiting += [self._remember(raw) for raw in more.file_descriptor_proto]
        added = set()

        def add(name):
            if name in added:
                return
            added.add(name)
            for needed in self.files[name].dependency:
                add(needed)
            try:
                self.pool.FindFileByName(name)
            except KeyError:
                self.pool.Add(self.files[name])

        for name in names:
            add(name)
        return self.pool.FindServiceByName(service)

    def _remember(self, raw):
        file = descriptor_pb2.FileDescriptorProto.FromString(raw)
        self.files[file.name] = file
        return file.name

    def type(self, name):
        return message_class(self.pool, name)

    def method(self, service, name):
        method = service.methods_by_name.get(name)
        check(method is not None, "%s has no %s" % (service.full_name, name))
        streaming = self.files[service.file.name]
        proto = next(
            m
            for s in streaming.service
            if streaming.package + "." + s.name == service.full_name
            for m in s.method
            if m.name == name
        )
        make = self.channel.unary_stream if proto.server_streaming else self.channel.unary_unary
        call = make(
            "/%s/%s" % (service.full_name, name),
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=self.type(method.output_type.full_name).FromString,
        )
        request_type = self.type(method.input_type.full_name)
        return lambda timeout=60, **fields: call(request_type(**fields), timeout=timeout)


def finish(wait, operation):
    while not operation.done:
        operation = wait(name=operation.name)
    if operation.HasField("error"):
        surprise("%s failed: %s" % (operation.name, operation.error.message))
    return operation


def main(target):
    server = Server(target)
    step("services: " + ", ".join(server.services))
    for wanted in ("seamlab.v1.TrustDomains", "seamlab.v1.Host", "google.longrunning.Operations"):
        check(wanted in server.services, wanted + " is not offered")

    service = server.learn("seamlab.v1.TrustDomains")
    operations = server.learn("google.longrunning.Operations")
    host = server.learn("seamlab.v1.Host")
    wait = server.method(operations, "WaitOperation")
    report = server.method(host, "GetMemoryReport")
    trust_domain = server.type("seamlab.v1.TrustDomain")
    state = {v.number: v.name for v in trust_domain.DESCRIPTOR.enum_types_by_name["State"].values}

    info = server.method(host, "GetHost")()
    step("host: %s, TDX module %s, %d CPUs" % (info.profile, info.module_version, info.cpu_count))
    before = report()

    wanted = {"memory_bytes": 64 << 20, "vcpu_count": 1, "guest_program": {"text": "boot-lazy"}}
    created = finish(
        wait,
        server.method(service, "CreateTrustDomain")(
            trust_domain_id="foreign", trust_domain=wanted, request_id=str(uuid.uuid4())
        ),
    )
    built = trust_domain()
    check(created.response.Is(built.DESCRIPTOR), "response is " + created.response.type_url)
    created.response.Unpack(built)
    check(state[built.state] == "READY", "created, but " + state[built.state])
    check(len(built.mrtd) == 48, "MRTD has %d bytes" % len(built.mrtd))
    step("created %s, MRTD %s…" % (built.name, built.mrtd.hex()[:16]))

    watch = server.method(service, "WatchTrustDomain")(name=built.name)
    first = next(watch)
    check(state[first.trust_domain.state] == "READY", "watch begins " + state[first.trust_domain.state])

    server.method(service, "StartTrustDomain")(name=built.name)
    step("started")
    for change in watch:
        now = change.trust_domain
        check(state[now.state] != "FAILED", "failed: " + now.failure.message)
        if state[now.state] == "STOPPED" or now.progress.finished_vcpus == now.vcpu_count:
            break
    else:
        surprise("the watch ended before the guest did")
    check(now.progress.accepted_pages > 0, "the guest accepted nothing")
    step("guest done: %d pages accepted, %d faults" % (now.progress.accepted_pages, now.progress.private_faults))

    if state[now.state] == "RUNNING":
        now = server.method(service, "StopTrustDomain")(name=built.name)
    check(state[now.state] == "STOPPED", "stopped, but " + state[now.state])
    step("stopped")

    finish(wait, server.method(service, "DeleteTrustDomain")(name=built.name))
    last = None
    for last in watch:
        pass
    check(last is not None and last.deleted, "the watch did not tell the end")
    step("deleted, and the watch ended")

    try:
        server.method(service, "GetTrustDomain")(name=built.name)
        surprise("it is still there")
    except grpc.RpcError as e:
        check(e.code() == grpc.StatusCode.NOT_FOUND, "gone, but " + str(e.code()))
        details = dict(e.trailing_metadata() or ())
        status = server.type("google.rpc.Status").FromString(details["grpc-status-details-bin"])
        kinds = [d.type_url.rsplit("/", 1)[-1] for d in status.details]
        check("google.rpc.ErrorInfo" in kinds, "no ErrorInfo in " + ", ".join(kinds))
        step("gone: %s with %s" % (e.code().name, ", ".join(kinds)))

    after = report()
    check(after == before, "memory is not what it was:\n%s\n%s" % (before, after))
    findings = server.method(server.learn("seamlab.v1.Audit"), "RunAudit")().findings
    check(not findings, "audit: " + "; ".join(f.description for f in findings))
    step("memory as before, audit: 0 findings")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: reflection_client.py HOST:PORT", file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
