"""The pages of metering: one file a noun."""
