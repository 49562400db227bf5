"""How closely one model follows another."""
