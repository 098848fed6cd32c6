// SPDX-License-Identifier: Apache-2.0
/** What an emulated host is made of, as plain data: read from YAML or built in. */
@NullMarked
package dev.seamlab.machine.profile;

import org.jspecify.annotations.NullMarked;
