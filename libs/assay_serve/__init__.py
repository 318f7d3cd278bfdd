"""What every server needs: one interceptor, identity, paging, settings, and the embedded stack."""
