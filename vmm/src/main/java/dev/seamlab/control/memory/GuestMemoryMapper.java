// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.memory;

import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.v1.Mapping;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.PageInfo;
import dev.seamlab.v1.SeptState;
import dev.seamlab.vmm.GuestRam;
import org.jspecify.annotations.Nullable;

/** From guest memory to what clients see of it. */
final class GuestMemoryMapper {
    private GuestMemoryMapper() {}

    static Mapping toProto(GuestRam.Mapping mapping) {
        return Mapping.newBuilder()
                .setGpa(mapping.gpa())
                .setSizeBytes(mapping.bytes())
                .setAttribute(attribute(mapping.isPrivate()))
                .setSeptState(toProto(mapping.state()))
                .setLevel(mapping.level())
                .build();
    }

    static PageInfo toProto(GuestRam.HostPage page) {
        return PageInfo.newBuilder()
                .setHpa(page.hpa())
                .setPageType(page.type() == null ? "" : page.type().name())
                .setOwnerTdrHpa(page.ownerTdr())
                .setTrustDomain(page.owner().isEmpty() ? "" : TrustDomainName.of(page.owner()))
                .setLevel(page.level())
                .setBlockEpoch(page.blockEpoch())
                .setRangeRefcount(page.rangeRefcount())
                .setHolder(page.holder())
                .build();
    }

    static PageInfo toProto(GuestRam.GuestPage page) {
        PageInfo known = page.page() == null ? PageInfo.getDefaultInstance() : toProto(page.page());
        return known.toBuilder()
                .setAttribute(attribute(page.isPrivate()))
                .setSeptState(
                        page.isPrivate() ? toProto(page.state()) : SeptState.SEPT_STATE_UNSPECIFIED)
                .build();
    }

    private static MemoryAttribute attribute(boolean isPrivate) {
        return isPrivate
                ? MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE
                : MemoryAttribute.MEMORY_ATTRIBUTE_SHARED;
    }

    /** States of migration cannot be met: the model has none. */
    private static SeptState toProto(@Nullable SeptEntryState state) {
        return switch (state) {
            case FREE -> SeptState.SEPT_STATE_FREE;
            case MAPPED -> SeptState.SEPT_STATE_MAPPED;
            case PENDING -> SeptState.SEPT_STATE_PENDING;
            case BLOCKED -> SeptState.SEPT_STATE_BLOCKED;
            case PENDING_BLOCKED -> SeptState.SEPT_STATE_PENDING_BLOCKED;
            case null, default -> SeptState.SEPT_STATE_UNSPECIFIED;
        };
    }
}
