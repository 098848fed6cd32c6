// SPDX-License-Identifier: Apache-2.0
/**
 * Black-box tests: the packaged application in a process of its own, reached over gRPC, HTTP and
 * its command line, and nothing of its classes but the stubs.
 */
@NullMarked
package dev.seamlab.it;

import org.jspecify.annotations.NullMarked;
