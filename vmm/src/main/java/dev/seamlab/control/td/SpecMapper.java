// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.ByteString;
import dev.seamlab.control.call.Digests;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.guest.Builtin;
import dev.seamlab.guest.Workload;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.v1.Attributes;
import dev.seamlab.v1.EmbeddedFirmware;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.vmm.TrustDomainSpec;
import dev.seamlab.vmm.tdvf.TdvfImage;
import java.util.TreeMap;

/** From requests to specifications, and the immutable fields back. */
final class SpecMapper {
    private SpecMapper() {}

    /**
     * @throws dev.seamlab.guest.InvalidProgramException for a guest program that cannot be read
     * @throws dev.seamlab.vmm.tdvf.InvalidFirmwareException for an image that cannot be loaded
     */
    static TrustDomainSpec toSpec(String id, TrustDomain proto) {
        return new TrustDomainSpec(
                id,
                proto.getMemoryBytes(),
                proto.getVcpuCount() == 0 ? 1 : proto.getVcpuCount(),
                firmware(proto.getFirmware()),
                Workload.parse(programText(proto.getGuestProgram())),
                proto.hasAttributes()
                        ? attributes(proto.getAttributes())
                        : TrustDomainSpec.DEFAULT_ATTRIBUTES,
                proto.getGpaWidth() == 0 ? TrustDomainSpec.DEFAULT_GPA_WIDTH : proto.getGpaWidth());
    }

    /** Fills in what a specification says. */
    static TrustDomain.Builder toProto(TrustDomainSpec spec) {
        return TrustDomain.newBuilder()
                .setMemoryBytes(spec.memoryBytes())
                .setVcpuCount(spec.vcpus())
                .setGuestProgram(GuestProgram.newBuilder().setText(spec.workload().text()))
                .setAttributes(
                        Attributes.newBuilder()
                                .setDebug((spec.attributes() & TdParams.ATTRIBUTE_DEBUG) != 0)
                                .setSeptVeDisable(
                                        (spec.attributes() & TdParams.ATTRIBUTE_SEPT_VE_DISABLE)
                                                != 0))
                .setGpaWidth(spec.gpaWidth());
    }

    /** The firmware of a specification as answers show it: without the image. */
    static Firmware describe(TdvfImage image, TrustDomain requested) {
        Firmware.Builder shown = Firmware.newBuilder();
        if (!requested.getFirmware().hasImage()) {
            shown.setEmbedded(EmbeddedFirmware.getDefaultInstance());
        }
        return shown.setSizeBytes(image.size())
                .setSha256(ByteString.copyFrom(Digests.sha256(image.bytes())))
                .build();
    }

    private static TdvfImage firmware(Firmware firmware) {
        return firmware.hasImage()
                ? TdvfImage.parse("image", firmware.getImage().toByteArray())
                : TdvfImage.embedded();
    }

    private static long attributes(Attributes attributes) {
        return (attributes.getDebug() ? TdParams.ATTRIBUTE_DEBUG : 0)
                | (attributes.getSeptVeDisable() ? TdParams.ATTRIBUTE_SEPT_VE_DISABLE : 0);
    }

    private static String programText(GuestProgram program) {
        return switch (program.getSourceCase()) {
            case TEXT -> text(program);
            case BUILT_IN -> builtIn(program);
            case SOURCE_NOT_SET ->
                    throw Rejection.invalid(
                            "trust_domain.guest_program",
                            "is empty: set text or built_in, for example text 'boot-lazy'");
        };
    }

    private static String text(GuestProgram program) {
        if (program.getParametersCount() > 0) {
            throw Rejection.invalid(
                    "trust_domain.guest_program.parameters",
                    "belong to built_in: leave them out, or write them into the text");
        }
        return program.getText();
    }

    private static String builtIn(GuestProgram program) {
        String name = program.getBuiltIn();
        if (!Builtin.NAMES.contains(name)) {
            throw Rejection.invalid(
                    "trust_domain.guest_program.built_in",
                    "there is no '" + name + "': use one of " + String.join(", ", Builtin.NAMES));
        }
        StringBuilder text = new StringBuilder(name);
        new TreeMap<>(program.getParametersMap())
                .forEach((key, value) -> text.append(' ').append(key).append('=').append(value));
        return text.toString();
    }
}
