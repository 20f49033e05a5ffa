"""The portal: what an organisation's people see of the models that are shared with them, and how they use them.

Every page is about the organisation of `request.visit` (console.visiting), and nothing of another one can be asked for.
"""
