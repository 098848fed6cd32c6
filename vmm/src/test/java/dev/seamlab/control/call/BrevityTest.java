// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.Status;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class BrevityTest {
    @Property(tries = 200)
    void everyError_whateverItEchoes_fitsIntoHeaders(
            @ForAll("echoes") String text, @ForAll @IntRange(min = 1, max = 40) int entries) {
        BadRequest.Builder bad = BadRequest.newBuilder();
        ErrorInfo.Builder info = ErrorInfo.newBuilder().setDomain("seamlab.dev").setReason("ANY");
        for (int i = 0; i < entries; i++) {
            bad.addFieldViolationsBuilder().setField(text).setDescription("is " + text);
            info.putMetadata("key" + i, text);
        }
        ResourceInfo resource = ResourceInfo.newBuilder().setResourceName(text).build();
        List<Message> details = List.of(info.build(), bad.build(), resource);
        Status status = Brevity.status(Code.INVALID_ARGUMENT, "there is no " + text, details);
        assertThat(status.getDetailsCount()).isEqualTo(3);
        assertThat(status.getSerializedSize()).isLessThanOrEqualTo(Brevity.STATUS_BYTES);
        assertThat(Brevity.headerBytes(status.getMessage()))
                .isLessThanOrEqualTo(Brevity.MESSAGE_BYTES);
        assertThat(status.getMessage()).startsWith("there is no ");
    }

    @Provide
    Arbitrary<String> echoes() {
        return Arbitraries.of("a", "%", "\n", "\u4e16", "\ud83d\ude00", "trustDomains/web-1 ")
                .flatMap(unit -> Arbitraries.integers().between(0, 3000).map(unit::repeat));
    }

    @Property
    void cut_ofAnyText_keepsHeadAndTailAndWholeCharacters(
            @ForAll @IntRange(min = 0, max = 900) int shift,
            @ForAll @IntRange(min = 16, max = 400) int most) {
        String text = "x".repeat(shift) + "\ud83d\ude00".repeat(300) + "end";
        String cut = Brevity.cut(text, most);
        assertThat(cut.length()).isLessThanOrEqualTo(most);
        assertThat(cut).endsWith("end").startsWith(text.substring(0, 2));
        // A character cut in half would come out as a question mark.
        assertThat(cut.getBytes(java.nio.charset.StandardCharsets.UTF_8))
                .doesNotContain((byte) '?');
    }

    @Test
    void shortErrors_areLeftAlone() {
        ErrorInfo info =
                ErrorInfo.newBuilder().setReason("NOT_FOUND").putMetadata("name", "vms/a").build();
        Status status = Brevity.status(Code.NOT_FOUND, "there is no vms/a", List.of(info));
        assertThat(status.getMessage()).isEqualTo("there is no vms/a");
        assertThat(status.getDetails(0)).isEqualTo(com.google.protobuf.Any.pack(info));
    }

    @Test
    void oneLongField_amongShortOnes_losesItsMiddleAlone() throws Exception {
        BadRequest bad =
                BadRequest.newBuilder()
                        .addFieldViolations(
                                violation("name", "\"" + "a".repeat(9000) + "\" is bad"))
                        .addFieldViolations(violation("page_size", "must be at most 1000"))
                        .build();
        BadRequest cut =
                Brevity.status(Code.INVALID_ARGUMENT, "bad", List.of(bad))
                        .getDetails(0)
                        .unpack(BadRequest.class);
        assertThat(cut.getFieldViolations(0).getDescription())
                .startsWith("\"aaa")
                .contains("a\u2026a")
                .endsWith("a\" is bad")
                .hasSize(300);
        assertThat(cut.getFieldViolations(1)).isEqualTo(bad.getFieldViolations(1));
    }

    private static BadRequest.FieldViolation violation(String field, String description) {
        return BadRequest.FieldViolation.newBuilder()
                .setField(field)
                .setDescription(description)
                .build();
    }
}
