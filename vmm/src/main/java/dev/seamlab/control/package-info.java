// SPDX-License-Identifier: Apache-2.0
/** The gRPC services: they translate, validate and delegate, and hold no TDX logic. */
@NullMarked
package dev.seamlab.control;

import org.jspecify.annotations.NullMarked;
