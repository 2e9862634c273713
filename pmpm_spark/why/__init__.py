"""Why: what stands behind a figure, from what the last finished run published. It reads and never writes.

A member's months, dollars and attribution with the delivered record behind each, and a network's PMPM in its parts.
What it finds is members' data: it goes to who asks, and into no log.
"""
