"""Media from addresses that anybody wrote."""
