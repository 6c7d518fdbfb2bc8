# SPDX-License-Identifier: Apache-2.0

"""Events as CloudEvents 1.0, for other systems."""
