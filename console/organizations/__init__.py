"""Organisations and who belongs to them: making, suspending, members, invitations; views/ has the pages.

Pages are at the top of the house because they also show what organisations use; everything else here is below all apps.
"""
