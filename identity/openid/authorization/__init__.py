"""What leads a person to an application: the request, its checks, what the person agrees to, the code."""
