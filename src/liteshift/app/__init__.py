"""What a running application imports: engines for both databases, and the SQL functions its file depends on."""
