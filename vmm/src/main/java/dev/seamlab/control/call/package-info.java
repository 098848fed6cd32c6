// SPDX-License-Identifier: Apache-2.0
/**
 * What every call goes through: checking the request, answering, and saying in the terms of
 * google.rpc what went wrong.
 */
@NullMarked
package dev.seamlab.control.call;

import org.jspecify.annotations.NullMarked;
