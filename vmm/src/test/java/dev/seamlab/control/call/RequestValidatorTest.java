// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.RunCheckRequest;
import org.junit.jupiter.api.Test;

class RequestValidatorTest {
    private final RequestValidator validator = new RequestValidator();

    /** A oneof is no field that a client could look for. */
    @Test
    void choiceThatNobodyMade_isToldWithWhatThereIsToChoose() {
        assertThatThrownBy(() -> validator.check(RunCheckRequest.getDefaultInstance()))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("what: is missing: set one of program, scenario");
        assertThatThrownBy(() ->
                        validator.check(
                                CreateFaultRequest.newBuilder()
                                        .setFault(Fault.newBuilder().setLeaf("x"))
                                        .build()))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("fault.trigger: is missing: set one of ");
    }
}
