// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.ByteString;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.host.MemoryMapper;
import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.vmm.TdProgress;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.TrustDomain;
import jakarta.inject.Singleton;
import java.util.HexFormat;

/** From trust domains to what clients see of them. */
@Singleton
public final class TrustDomainMapper {
    private final Births births;
    private final ErrorMapper errors;

    TrustDomainMapper(Births births, ErrorMapper errors) {
        this.births = births;
        this.errors = errors;
    }

    /** The trust domain as it is now. */
    dev.seamlab.v1.TrustDomain toProto(TrustDomain td) {
        return toProto(td, td.snapshot(), births.of(td.id()));
    }

    /** The trust domain as a snapshot has it. */
    dev.seamlab.v1.TrustDomain toProto(TrustDomain td, TdSnapshot snapshot, Birth birth) {
        dev.seamlab.v1.TrustDomain.Builder proto =
                birth.notes()
                        .into(SpecMapper.toProto(td.spec()))
                        .setName(TrustDomainName.of(snapshot.id()))
                        .setEtag(version(birth, snapshot))
                        .setState(toProto(snapshot.state()))
                        .setFirmware(birth.firmware())
                        .setMrtd(ByteString.copyFrom(HexFormat.of().parseHex(snapshot.mrtd())))
                        .setMemory(MemoryMapper.toProto(td.memory(), td.spec().memoryBytes()))
                        .setProgress(toProto(snapshot.progress()))
                        .setKeyId(snapshot.hkid())
                        .setCreateTime(birth.time());
        snapshot.failure().ifPresent(refusal -> proto.setFailure(errors.toStatus(refusal)));
        return proto.build();
    }

    /** Etag and resume token: which trust domain of this name, and which of its states. */
    public static String version(Birth birth, TdSnapshot snapshot) {
        return birth.serial() + "-" + snapshot.revision();
    }

    /** The revision inside a {@link #version} of this very trust domain; 0 for any other text. */
    public static long revision(Birth birth, String version) {
        String prefix = birth.serial() + "-";
        if (!version.startsWith(prefix)) {
            return 0;
        }
        try {
            return Math.max(0, Long.parseLong(version.substring(prefix.length())));
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    public static State toProto(TdState state) {
        return switch (state) {
            case CREATING -> State.CREATING;
            case CREATED -> State.CREATED;
            case READY -> State.READY;
            case RUNNING -> State.RUNNING;
            case PAUSED -> State.PAUSED;
            case STOPPING -> State.STOPPING;
            case STOPPED -> State.STOPPED;
            case DELETING -> State.DELETING;
            case FAILED -> State.FAILED;
        };
    }

    private static Progress toProto(TdProgress progress) {
        return Progress.newBuilder()
                .setOperations(progress.operations())
                .setAcceptedPages(progress.pagesAccepted())
                .setPrivateFaults(progress.privateFaults())
                .setSharedFaults(progress.sharedFaults())
                .setConvertedPages(progress.conversions())
                .setTdExits(progress.tdExits())
                .setFinishedVcpus(progress.finishedVcpus())
                .build();
    }
}
