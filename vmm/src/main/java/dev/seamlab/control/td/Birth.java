// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.Timestamp;
import dev.seamlab.v1.Firmware;

/**
 * What the API remembers of a trust domain that the VMM does not: set once, when the create request
 * is accepted.
 *
 * @param serial tells trust domains of the same name apart
 * @param time when the request came
 * @param firmware the firmware as later answers show it: without the image
 */
record Birth(long serial, Timestamp time, Firmware firmware) {
    /** For a trust domain that nobody created through the API. */
    static final Birth UNKNOWN =
            new Birth(0, Timestamp.getDefaultInstance(), Firmware.getDefaultInstance());
}
