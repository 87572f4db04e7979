# SPDX-License-Identifier: GPL-2.0-only
"""The parts of xenhost. Each module is one of them; ../xenhost only calls cli.main()."""
