from .at_head import main

main()
