// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Files that options name. */
final class InputFiles {
    /** Nothing that the server takes is larger. */
    private static final long MAX_BYTES = 32 << 20;

    private InputFiles() {}

    /**
     * Reads a file.
     *
     * @param option who names it, for the message
     */
    static ByteString read(String option, Path file) {
        try {
            if (Files.isDirectory(file)) {
                throw bad(option, file, "is a folder, not a file");
            }
            long size = Files.size(file);
            if (size > MAX_BYTES) {
                throw bad(
                        option,
                        file,
                        "has " + Sizes.show(size) + ", at most " + Sizes.show(MAX_BYTES) + " fit");
            }
            return ByteString.copyFrom(Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw bad(option, file, "does not exist");
        } catch (IOException e) {
            throw bad(option, file, "cannot be read: " + e.getMessage());
        }
    }

    private static CommandFailure bad(String option, Path file, String what) {
        return new CommandFailure(
                ExitCodes.BAD_INPUT, option + ": " + file + " " + what + ": name another file");
    }
}
