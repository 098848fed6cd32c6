// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import dev.seamlab.control.call.Digests;
import dev.seamlab.control.host.BadSettingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The bearer tokens that a server takes, each with a role. One a line: {@code token role [name]};
 * empty lines and those that begin with {@code #} do not count. Only digests are kept, and what is
 * looked up is a digest, so that the time of a look-up tells nothing about a token.
 */
public final class Tokens {
    /** Setting that names the file, for messages. */
    private static final String SETTING = "token-file";

    /** Shorter ones can be guessed. */
    static final int SHORTEST = 16;

    private final Map<String, Caller> byDigest;

    private Tokens(Map<String, Caller> byDigest) {
        this.byDigest = Map.copyOf(byDigest);
    }

    /**
     * Reads a file of tokens.
     *
     * @throws BadSettingException naming the line and how to mend it
     */
    public static Tokens read(String file) {
        List<String> lines;
        try {
            lines = Files.readAllLines(Path.of(file));
        } catch (NoSuchFileException e) {
            throw new BadSettingException(SETTING, "there is no file " + file);
        } catch (IOException | InvalidPathException e) {
            throw new BadSettingException(SETTING, "cannot read " + file + ": " + e.getMessage());
        }
        Map<String, Caller> callers = new HashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (!line.isEmpty() && !line.startsWith("#")) {
                add(callers, line, file + " line " + (i + 1) + ": ");
            }
        }
        if (callers.isEmpty()) {
            throw new BadSettingException(
                    SETTING, file + " has no tokens: add lines of the form 'token role [name]'");
        }
        return new Tokens(callers);
    }

    private static void add(Map<String, Caller> callers, String line, String where) {
        String[] parts = line.split("\\s+", 3);
        if (parts.length < 2) {
            throw new BadSettingException(SETTING, where + "must be 'token role [name]'");
        }
        if (parts[0].length() < SHORTEST) {
            throw new BadSettingException(
                    SETTING, where + "a token must have " + SHORTEST + " characters or more");
        }
        Role role =
                Role.named(parts[1])
                        .orElseThrow(() ->
                                new BadSettingException(
                                        SETTING,
                                        where + "the role must be one of " + Role.names()));
        Caller caller = new Caller(parts.length == 3 ? parts[2] : "", role);
        if (callers.put(digest(parts[0]), caller) != null) {
            throw new BadSettingException(SETTING, where + "the token has a line already");
        }
    }

    /** Whose token it is. */
    Optional<Caller> find(String token) {
        return Optional.ofNullable(byDigest.get(digest(token)));
    }

    private static String digest(String token) {
        return HexFormat.of().formatHex(Digests.sha256(token.getBytes(StandardCharsets.UTF_8)));
    }
}
