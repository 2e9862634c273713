"""An independent recomputation of the reported tables, to check the product against."""
