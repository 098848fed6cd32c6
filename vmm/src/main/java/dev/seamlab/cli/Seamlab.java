// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.Command;

/** Top. */
@Command(name = "seamlab")
public final class Seamlab {}
