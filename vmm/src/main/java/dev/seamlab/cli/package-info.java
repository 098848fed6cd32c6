// SPDX-License-Identifier: Apache-2.0
/**
 * The {@code seamlab} command: server and client in one binary. Client commands speak gRPC to a
 * server and start no Quarkus; {@code serve} and {@code demo} do.
 */
@NullMarked
package dev.seamlab.cli;

import org.jspecify.annotations.NullMarked;
