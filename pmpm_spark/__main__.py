from pmpm_spark.cli import main

raise SystemExit(main())
