// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.Timestamp;
import dev.seamlab.v1.Firmware;

/**
 * What the API remembers of a trust domain that the VMM does not, from the accepted create request
 * on. Any thread reads; {@link Births} changes the notes.
 */
final class Birth {
    /** For a trust domain that nobody created through the API. */
    static final Birth UNKNOWN =
            new Birth(0, Timestamp.getDefaultInstance(), Firmware.getDefaultInstance(), Notes.NONE);

    private final long serial;
    private final Timestamp time;
    private final Firmware firmware;
    private volatile Notes notes;

    Birth(long serial, Timestamp time, Firmware firmware, Notes notes) {
        this.serial = serial;
        this.time = time;
        this.firmware = firmware;
        this.notes = notes;
    }

    /** Tells trust domains of the same name apart. */
    long serial() {
        return serial;
    }

    /** When the request came. */
    Timestamp time() {
        return time;
    }

    /** The firmware as later answers show it: without the image. */
    Firmware firmware() {
        return firmware;
    }

    /** What clients noted. */
    Notes notes() {
        return notes;
    }

    void setNotes(Notes now) {
        notes = now;
    }
}
