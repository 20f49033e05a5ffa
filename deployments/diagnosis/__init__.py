"""Why a replica does not serve, in one sentence with one remedy; one module per subject.

Every module looks at one pod (or claim, or workload) with its events and answers with a Finding or None. They
know nothing of each other and nothing of phases: status.py weighs what they found.
"""
