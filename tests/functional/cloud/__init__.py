# SPDX-License-Identifier: Apache-2.0

"""The embedded cloud is what the other functional tests take it for."""
