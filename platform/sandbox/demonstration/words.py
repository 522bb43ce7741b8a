"""Texts of the demonstration site, in Spanish and English: a site apart, with no part in the platform's catalogues."""

from __future__ import annotations

LANGUAGES = {"es": "Español", "en": "English"}

WORDS: dict[str, dict[str, str]] = {
    "es": {
        "town": "Municipalidad de Los Andes del Sur",
        "motto": "Trámites en línea",
        "fictitious": "Organismo ficticio: este sitio muestra cómo se ve el ingreso desde un servicio propio.",
        "title": "Certificado de residencia",
        "lead": "Obtenga su certificado sin ir a la oficina. Necesitamos saber quién es usted.",
        "sign_in": "Ingresar con Cordillera",
        "try_with": "Para probar, use una persona de prueba: RUN 44.444.444-4, contraseña testing.",
        "steps": "Cómo funciona",
        "step_1": "Usted presiona el botón y llega a Cordillera.",
        "step_2": "Ingresa con su RUN y acepta compartir sus datos.",
        "step_3": "Vuelve aquí, y sabemos quién es usted.",
        "hello": "Hola, {name}",
        "welcome": "Usted ingresó con Cordillera. Su certificado está listo para pedirlo.",
        "run": "Su RUN",
        "full_name": "Su nombre",
        "received": "Lo que recibió este sitio",
        "received_lead": "Son los datos que usted aceptó compartir, tal como llegaron.",
        "sign_out": "Salir",
        "problem": "No fue posible ingresar",
        "back": "Volver al inicio",
        "not_found": "Esta página no existe.",
        "language": "Idioma",
    },
    "en": {
        "town": "Municipality of Los Andes del Sur",
        "motto": "Services online",
        "fictitious": "A fictitious agency: this site shows what signing in looks like from a service of your own.",
        "title": "Certificate of residence",
        "lead": "Get your certificate without visiting the office. We need to know who you are.",
        "sign_in": "Sign in with Cordillera",
        "try_with": "To try it, use a test person: RUN 44.444.444-4, password testing.",
        "steps": "How it works",
        "step_1": "You press the button and arrive at Cordillera.",
        "step_2": "You sign in with your RUN and agree to share your data.",
        "step_3": "You come back here, and we know who you are.",
        "hello": "Hello, {name}",
        "welcome": "You signed in with Cordillera. Your certificate is ready to be asked for.",
        "run": "Your RUN",
        "full_name": "Your name",
        "received": "What this site received",
        "received_lead": "This is the data that you agreed to share, just as it arrived.",
        "sign_out": "Sign out",
        "problem": "You could not sign in",
        "back": "Back to the start",
        "not_found": "There is no such page.",
        "language": "Language",
    },
}

REASONS: dict[str, dict[str, str]] = {
    "es": {
        "not-registered": "Este sitio aún no tiene credenciales. Se crean al iniciar Cordillera con `make run`.",
        "unreachable": "Cordillera no responde. Inténtelo de nuevo en unos minutos.",
        "stale": "El ingreso se inició en otra ventana o hace mucho tiempo. Comience de nuevo.",
        "refused": "Usted prefirió no compartir sus datos. No recibimos nada.",
        "failed": "Cordillera no confirmó el ingreso. Comience de nuevo.",
    },
    "en": {
        "not-registered": "This site has no credentials yet. Starting Cordillera with `make run` makes them.",
        "unreachable": "Cordillera does not answer. Try again in a few minutes.",
        "stale": "The sign-in began in another window, or too long ago. Start again.",
        "refused": "You chose not to share your data. We received nothing.",
        "failed": "Cordillera did not confirm the sign-in. Start again.",
    },
}
