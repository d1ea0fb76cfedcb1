"""What several concerns need to know: what is in sync, components, guests, migrations, the session. Pure."""
