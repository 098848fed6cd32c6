// SPDX-License-Identifier: Apache-2.0
/** Trust domains over gRPC: requests to specifications, snapshots to answers, watches. */
@NullMarked
package dev.seamlab.control.td;

import org.jspecify.annotations.NullMarked;
