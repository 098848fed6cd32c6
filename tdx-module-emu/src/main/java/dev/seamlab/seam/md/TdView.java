// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.METADATA_WR_MASK_NOT_VALID;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;

/** Fields of a TD as host or guest may see them, and what may be written to them. */
public final class TdView implements FieldView {
    private static final int CPUID_CLASS = 0x14;
    private static final long MIN_TIMEOUT_MICROS = 10_000;
    private static final long MAX_TIMEOUT_MICROS = 100_000_000;
    private static final long CODE_MASK = 0xFF_FFFF;

    private final Tdr tdr;
    private final Tdcs tdcs;
    private final FieldAccess access;

    private TdView(Tdr tdr, Tdcs tdcs, FieldAccess access) {
        this.tdr = tdr;
        this.tdcs = tdcs;
        this.access = access;
    }

    /** As the host sees it, which of a debug TD is all. */
    public static TdView ofHost(Tdr tdr, Tdcs tdcs) {
        return new TdView(tdr, tdcs, FieldAccess.ofHost(tdcs.config().isDebug()));
    }

    /** As the TD sees itself. */
    public static TdView ofGuest(Tdr tdr, Tdcs tdcs) {
        return new TdView(tdr, tdcs, FieldAccess.GUEST);
    }

    @Override
    public FieldCatalog catalog() {
        return TdFields.catalog(tdcs);
    }

    @Override
    public FieldAccess access() {
        return access;
    }

    @Override
    public long value(int row, int element) {
        return TdFields.value(row, tdr, tdcs, element);
    }

    /** A CPUID leaf without subleaves is found by any subleaf. */
    @Override
    public long canonical(long id) {
        if (FieldId.fieldClass(id) != CPUID_CLASS || !CpuidTable.Code.isValid(id)) {
            return id;
        }
        int index = CpuidTable.find(CpuidTable.Code.leaf(id), CpuidTable.Code.subleaf(id));
        if (index < 0) {
            return id;
        }
        return (id & ~CODE_MASK) | CpuidTable.Code.of(CpuidTable.get(index)) | (id & 1);
    }

    @Override
    public boolean isOneFieldOfManyRows(long id) {
        return FieldId.fieldClass(id) == CPUID_CLASS;
    }

    /** A CPUID leaf that the module does not virtualise: the host may read that it is zero. */
    @Override
    public long unlisted(long id, boolean write) {
        if (FieldId.fieldClass(id) != CPUID_CLASS || !CpuidTable.Code.isValid(id)) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        boolean readsZero =
                !write
                        && access != FieldAccess.GUEST
                        && CpuidTable.isFixed0(CpuidTable.Code.leaf(id));
        return readsZero ? Status.SUCCESS : METADATA_FIELD_NOT_READABLE.word();
    }

    @Override
    public long store(int row, int element, long value, long written) {
        FieldSpec spec = catalog().get(row);
        TdControls controls = tdcs.controls();
        switch (spec.name()) {
            case "NOTIFY_ENABLES" -> controls.notifyEnables(value);
            case "VM_CTLS" -> controls.vmCtls(element, value);
            case "HP_LOCK_TIMEOUT" -> {
                return storeTimeout(value, written);
            }
            case "TD_CTLS" -> {
                return storeControls(value);
            }
            case "FEATURE_PARAVIRT_CTLS" -> {
                if (isLocked()) {
                    return refuseUnless(value == controls.featureParavirtCtls());
                }
                controls.featureParavirtCtls(value);
            }
            default -> throw new AssertionError("no write to " + spec.name());
        }
        return Status.SUCCESS;
    }

    private long storeTimeout(long micros, long written) {
        if (written != FieldSpec.ALL) {
            return METADATA_WR_MASK_NOT_VALID.word();
        }
        if (micros < MIN_TIMEOUT_MICROS || micros > MAX_TIMEOUT_MICROS) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        tdcs.controls().hpLockTimeout(micros);
        return Status.SUCCESS;
    }

    /**
     * Once locked, nothing changes. PENDING_VE_DISABLE is the guest's only if the host said so;
     * REDUCE_VE brings two others with it; topology needs an x2APIC id for every vCPU.
     */
    private long storeControls(long value) {
        TdControls controls = tdcs.controls();
        long changed = value ^ controls.tdCtls();
        if (isLocked()) {
            return refuseUnless(changed == 0);
        }
        boolean flexible = (tdcs.config().configFlags() & TdConfig.FLAG_FLEXIBLE_PENDING_VE) != 0;
        if (!flexible && (changed & TdControls.PENDING_VE_DISABLE) != 0) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        long next = value;
        if ((next & TdControls.REDUCE_VE) != 0) {
            next |= TdControls.ENUM_TOPOLOGY | TdControls.VIRT_CPUID2;
        }
        if ((next & TdControls.ENUM_TOPOLOGY) != 0 && !controls.topologyEnumConfigured()) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        controls.tdCtls(next);
        return Status.SUCCESS;
    }

    private boolean isLocked() {
        return (tdcs.controls().tdCtls() & TdControls.LOCK) != 0;
    }

    private static long refuseUnless(boolean valid) {
        return valid ? Status.SUCCESS : METADATA_FIELD_VALUE_NOT_VALID.word();
    }
}
