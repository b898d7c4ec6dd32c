"""Load scenarios and fleet simulation behind `penstock bench`: runs Penstock as its users do, under loads that they
fear, and says what came of it."""
