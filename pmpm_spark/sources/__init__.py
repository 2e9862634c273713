"""One module or package per delivered format; each maps its bronze tables to the common model."""
