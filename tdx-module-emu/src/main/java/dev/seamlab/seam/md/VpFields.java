// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.md.FieldSpec.ALL;

import dev.seamlab.seam.td.Tdvps;
import java.util.List;
import java.util.stream.Stream;

/**
 * Fields of a vCPU (facts: module ABI section 6.5), and those VMCS fields that a host sets on a
 * production TD, whose identifiers are their VMCS encodings. The model keeps nothing else of a
 * VMCS: see {@link UnkeptVpFields}.
 */
public final class VpFields {
    private static final long SHARED_EPTP = 0x0024_0003_0000_203CL;
    private static final long POSTED_INTERRUPT_DESCRIPTOR = 0x0024_0003_0000_2016L;
    private static final long POSTED_INTERRUPT_VECTOR = 0x0024_0001_0000_0002L;

    /** How a field is read. */
    @FunctionalInterface
    interface Reader {
        long read(Tdvps vcpu, int element);
    }

    /** How a field is written. */
    @FunctionalInterface
    interface Writer {
        void write(Tdvps vcpu, long value);
    }

    private record Row(FieldSpec spec, Reader reader, Writer writer) {}

    private static final Writer NEVER =
            (vcpu, value) -> {
                throw new AssertionError("write to a read-only field");
            };

    private static final Reader NOWHERE = (vcpu, element) -> 0;

    private static final List<Row> KEPT =
            List.of(
                    hostOwned(
                            "POSTED_INTERRUPT_NOTIFICATION_VECTOR",
                            POSTED_INTERRUPT_VECTOR,
                            (vcpu, e) -> vcpu.context().postedInterruptVector(),
                            (vcpu, value) -> vcpu.context().postedInterruptVector(value)),
                    hostOwned(
                            "POSTED_INTERRUPT_DESCRIPTOR",
                            POSTED_INTERRUPT_DESCRIPTOR,
                            (vcpu, e) -> vcpu.context().postedInterruptDescriptor(),
                            (vcpu, value) -> vcpu.context().postedInterruptDescriptor(value)),
                    hostOwned(
                            "SHARED_EPTP",
                            SHARED_EPTP,
                            (vcpu, e) -> vcpu.context().sharedEptp(),
                            (vcpu, value) -> vcpu.context().sharedEptp(value)),
                    new Row(
                            new FieldSpec(
                                    "GPR", 0x1020_0003_0000_0000L, 16, 1, 0, ALL, 0, ALL, 0, 0),
                            (vcpu, e) -> vcpu.gprs().get(e),
                            NEVER),
                    readOnly("VCPU_STATE_DETAILS", 0x9120_0003_0000_0100L, ALL, ALL, (v, e) -> 0),
                    readOnly(
                            "VCPU_STATE",
                            0xA020_0000_0000_0000L,
                            0,
                            0,
                            (vcpu, e) -> vcpu.state().code()),
                    readOnly(
                            "VCPU_INDEX",
                            0xA020_0002_0000_0002L,
                            ALL,
                            ALL,
                            (vcpu, e) -> vcpu.index()),
                    readOnly(
                            "NUM_TDVPS_PAGES",
                            0xA020_0000_0000_0003L,
                            ALL,
                            0,
                            (vcpu, e) -> vcpu.pageCount()),
                    readOnly(
                            "ASSOC_LPID",
                            0xA020_0002_0000_0004L,
                            ALL,
                            0,
                            (vcpu, e) -> vcpu.associatedCpu()),
                    readOnly(
                            "VCPU_EPOCH",
                            0xA020_0003_0000_0006L,
                            ALL,
                            0,
                            (vcpu, e) -> vcpu.context().epoch()),
                    readOnly(
                            "CPUID_SUPERVISOR_VE",
                            0xA020_0000_0000_0007L,
                            ALL,
                            ALL,
                            (vcpu, e) -> vcpu.context().cpuidVe() & 1),
                    readOnly(
                            "CPUID_USER_VE",
                            0xA020_0000_0000_0008L,
                            ALL,
                            ALL,
                            (vcpu, e) -> vcpu.context().cpuidVe() >>> 1 & 1),
                    hostOwned(
                            "PEND_NMI",
                            0x2020_0000_0000_000BL,
                            (vcpu, e) -> vcpu.context().pendingNmi() ? 1 : 0,
                            (vcpu, value) -> vcpu.context().pendingNmi(value != 0)),
                    readOnly(
                            "LAST_TD_EXIT",
                            0xA020_0000_0000_000FL,
                            0,
                            0,
                            (vcpu, e) -> vcpu.context().lastExit().ordinal()),
                    new Row(
                            new FieldSpec(
                                    "TDVPS_PAGE_PA",
                                    0xA020_0003_0000_0010L,
                                    Tdvps.MAX_PAGES,
                                    1,
                                    ALL,
                                    ALL,
                                    0,
                                    0,
                                    0,
                                    0),
                            Tdvps::page,
                            NEVER));

    private static final List<Row> ROWS =
            Stream.of(
                            KEPT.stream(),
                            UnkeptVpFields.vmcs().stream().map(VpFields::unkept),
                            UnkeptVpFields.tdvps().stream().map(VpFields::unkept))
                    .flatMap(rows -> rows)
                    .toList();

    private static final FieldCatalog CATALOG =
            new FieldCatalog(ROWS.stream().map(Row::spec).toList());

    private VpFields() {}

    /** Identities and order. */
    public static FieldCatalog catalog() {
        return CATALOG;
    }

    /** Value of an element. */
    public static long value(int row, Tdvps vcpu, int element) {
        return ROWS.get(row).reader().read(vcpu, element);
    }

    /** Writes an element that {@link FieldSpec#writable} allows. */
    public static void write(int row, Tdvps vcpu, int element, long value) {
        if (ROWS.get(row).spec().name().equals("GPR")) {
            vcpu.gprs().set(element, value);
        } else {
            ROWS.get(row).writer().write(vcpu, value);
        }
    }

    private static Row unkept(FieldSpec spec) {
        return new Row(spec, NOWHERE, NEVER);
    }

    private static Row hostOwned(String name, long id, Reader reader, Writer writer) {
        return new Row(new FieldSpec(name, id, 1, 1, ALL, ALL, ALL, ALL, 0, 0), reader, writer);
    }

    private static Row readOnly(String name, long id, long host, long guest, Reader reader) {
        return new Row(new FieldSpec(name, id, 1, 1, host, ALL, 0, 0, guest, 0), reader, NEVER);
    }
}
