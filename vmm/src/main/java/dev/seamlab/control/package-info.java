// SPDX-License-Identifier: Apache-2.0
/**
 * The gRPC services, a package for each: they translate, validate and delegate, and hold no TDX
 * logic.
 */
@NullMarked
package dev.seamlab.control;

import org.jspecify.annotations.NullMarked;
